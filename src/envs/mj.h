// The one place that meets MuJoCo's own error handling. MuJoCo reports a broken model through
// return values, but inside the engine it calls mju_error, which by default prints and exits the
// process. Here its handlers are replaced: warnings are only counted (in mjData.warning), and a
// fatal error jumps back to the guard of the thread that caused it.
#pragma once

#include <mujoco/mujoco.h>

#include "base/err.h"

// Runs body(context). A MuJoCo fatal error inside ends it at once: RL_EMODEL with MuJoCo's text.
// Allocations that body made before are lost, and the mjData it worked on needs mj_resetData.
// Guards nest.
RL_CHECKED enum rl_status mj_guard(void (*body)(void *context), void *context,
                                   struct rl_error *err);

// Changes a parsed model before it is compiled; false when something that it needs is not there.
typedef bool (*mj_edit_fn)(mjSpec *spec, const void *context);

// Parses, edits (edit may be NULL) and compiles an MJCF file; mj_deleteModel it. NULL +
// RL_ENOTFOUND when there is no such file, RL_EMODEL with MuJoCo's reason on one line otherwise.
mjModel *mj_load_file(const char *path, mj_edit_fn edit, const void *context, struct rl_error *err);

// mj_makeData that fails with a status; mj_deleteData it.
mjData *mj_make_data(const mjModel *model, struct rl_error *err);

// Warnings that mattered since mj_clear_warnings: MuJoCo saw a state that is not finite or huge, or
// ran out of memory for contacts or constraints. dm_control raises PhysicsError on the same.
bool mj_has_warnings(const mjData *data);
void mj_clear_warnings(mjData *data);
