// One JSON object on one line, key by key in the order of the calls: rows of metrics.jsonl and the
// --json output of commands. NaN and infinities become null (JSON has no word for them).
#pragma once

#include <stdint.h>

#include "base/text.h"

void json_line_begin(struct text *out);
void json_line_string(struct text *out, const char *key, const char *value); // escaped as needed
void json_line_int(struct text *out, const char *key, int64_t value);
void json_line_real(struct text *out, const char *key, double value); // 9 significant digits
void json_line_bool(struct text *out, const char *key, bool value);
void json_line_end(struct text *out); // closes and ends the line
