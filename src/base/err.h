// Errors. Trouble from outside (config, file, model, disk, numbers) is a status and a message in
// the caller's struct rl_error, the last parameter; a broken contract is a bug and aborts
// (RL_ASSERT). Nothing below src/cli prints or exits.
#pragma once

#include <stdarg.h>
#include <stdbool.h>

#define RL_STATUS_LIST(X)                                                                          \
    X(RL_OK, 0, "ok")                                                                              \
    X(RL_EUSAGE, -1, "wrong usage") /* command line or config: exit status 2 */                    \
    X(RL_ENOTFOUND, -2, "not found")                                                               \
    X(RL_EIO, -3, "input/output")   /* file system said no */                                      \
    X(RL_EFORMAT, -4, "bad format") /* file is torn, hostile or of another version */              \
    X(RL_ENOMEM, -5, "out of memory")                                                              \
    X(RL_EMODEL, -6, "bad model")         /* MuJoCo refused the model or its state exploded */     \
    X(RL_ENUMERIC, -7, "not finite")      /* NaN or Inf where a number was expected */             \
    X(RL_EINTERRUPT, -8, "interrupted")   /* stopped by a signal after saving: exit status 130 */  \
    X(RL_EUNAVAILABLE, -9, "unavailable") /* built without it, or no display */

enum rl_status {
#define RL_STATUS_ENUM(name, value, text) name = value,
    RL_STATUS_LIST(RL_STATUS_ENUM)
#undef RL_STATUS_ENUM
};

struct rl_error {
    enum rl_status code;
    char message[512]; // one line: what, the value, what is allowed, what to do
};

#define RL_CHECKED __attribute__((warn_unused_result))

// Fills *err (may be NULL) and returns code, so that "return rl_fail(err, RL_EIO, ...)" reads well.
enum rl_status rl_fail(struct rl_error *err, enum rl_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Puts "format: " before the message that a callee left in *err; returns its code.
enum rl_status rl_fail_context(struct rl_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

const char *rl_status_text(enum rl_status code);

_Noreturn void rl_abort(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Always on; no side effects inside.
#define RL_ASSERT(condition)                                                                       \
    do {                                                                                           \
        if (!(condition)) rl_abort(__FILE__, __LINE__, "contract broken: %s", #condition);         \
    } while (0)
