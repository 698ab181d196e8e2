// What becomes of a window whose X display goes away. Left alone Xlib ends the process when the
// connection breaks, or when another program has destroyed the window; under guard the first jumps
// back to display_guard_lost and the second sets a flag. Nothing happens without X (Wayland).
#pragma once

#include <setjmp.h>
#include <stdbool.h>

extern jmp_buf display_guard_lost;

// Call after setjmp(display_guard_lost), on the thread that owns the window. After the jump no call
// may reach X or OpenGL again.
void display_guard_begin(void);
void display_guard_end(void);
bool display_guard_failed(void); // a request since the beginning failed: the window is gone
