// The only way to speak below src/cli: a message goes to one replaceable handler.
#pragma once

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING };

typedef void (*log_handler_fn)(enum log_level level, const char *line, void *context);

// Replaces the handler (default: drop information, print warnings to stderr). Call before threads
// start.
void log_set_handler(log_handler_fn handler, void *context);

void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
