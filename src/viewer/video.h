// Pictures in a row become a file: H.264 in MP4 or an animated GIF (libav), or numbered PNG files.
// The same pictures give the same bytes with the same libav. The file appears under its name when
// all is written; after a failure nothing is left behind.
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/file.h"

struct video; // opaque

// By the end of path: .mp4, .gif, or .png (F.png becomes F-00000.png, F-00001.png, ...). MP4 needs
// an even width and height. NULL + err: RL_EUSAGE for another ending or size, RL_EUNAVAILABLE when
// this build lacks libav or libav lacks the encoder, RL_EIO when the file cannot be written.
struct video *video_create(const char *path, int width, int height, double pictures_per_s,
                           struct rl_error *err);
RL_CHECKED enum rl_status video_add(struct video *video, const uint8_t *rgb, // (height, width, 3)
                                    struct rl_error *err);
// Writes the rest, puts the file in its place and frees video, also after a failure.
RL_CHECKED enum rl_status video_finish(struct video *video, struct rl_error *err);
void video_abort(struct video *video); // frees it and removes what was written; NULL is fine

// The same in memory: ending ".mp4" or ".gif". quality of the MP4: 18 cannot be told from the
// pictures, each 6 more about halve the bytes.
struct video *video_create_bytes(const char *ending, int width, int height, double pictures_per_s,
                                 int quality, struct rl_error *err);
// Ends it as video_finish does; out->data is the caller's, mem_free.
RL_CHECKED enum rl_status video_finish_bytes(struct video *video, struct bytes *out,
                                             struct rl_error *err);

// n pictures (n, height, width, 3) as an animated GIF in memory.
RL_CHECKED enum rl_status video_gif(const uint8_t *rgb, int n, int width, int height,
                                    double pictures_per_s, struct bytes *out, struct rl_error *err);
