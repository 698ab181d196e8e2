#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum rl_status rl_fail(struct rl_error *err, enum rl_status code, const char *format, ...) {
    RL_ASSERT(code != RL_OK);
    if (!err) return code;
    char text[sizeof err->message]; // an argument may be err->message itself
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err->code = code;
    memcpy(err->message, text, sizeof text);
    return code;
}

enum rl_status rl_fail_context(struct rl_error *err, const char *format, ...) {
    RL_ASSERT(err && err->code != RL_OK);
    char text[2 * sizeof err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof err->message, format, args);
    va_end(args);
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, ": %s", err->message);
    memcpy(err->message, text, sizeof err->message - 1);
    err->message[sizeof err->message - 1] = '\0';
    return err->code;
}

const char *rl_status_text(enum rl_status code) {
    switch (code) {
#define RL_STATUS_CASE(name, value, text)                                                          \
    case name: return text;
        RL_STATUS_LIST(RL_STATUS_CASE)
#undef RL_STATUS_CASE
    }
    return "unknown status";
}

void rl_abort(const char *file, int line, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "rlrun: %s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}
