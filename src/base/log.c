#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static void default_handler(enum log_level level, const char *line, void *context) {
    (void)context;
    if (level == LOG_LEVEL_WARNING) fprintf(stderr, "warning: %s\n", line);
}

static log_handler_fn handler = default_handler;
static void *handler_context;

void log_set_handler(log_handler_fn new_handler, void *context) {
    handler = new_handler ? new_handler : default_handler;
    handler_context = context;
}

static void log_send(enum log_level level, const char *format, va_list args) {
    char line[1024];
    vsnprintf(line, sizeof line, format, args);
    handler(level, line, handler_context);
}

void log_info(const char *format, ...) {
    va_list args;
    va_start(args, format);
    log_send(LOG_LEVEL_INFO, format, args);
    va_end(args);
}

void log_warning(const char *format, ...) {
    va_list args;
    va_start(args, format);
    log_send(LOG_LEVEL_WARNING, format, args);
    va_end(args);
}
