#include "base/json_line.h"

#include <inttypes.h>
#include <math.h>

void json_line_begin(struct text *out) {
    text_add(out, "{");
}

static void add_quoted(struct text *out, const char *value) {
    text_add(out, "\"");
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\') {
            text_add(out, "\\%c", *c);
        } else if ((unsigned char)*c < 32) {
            text_add(out, "\\u%04x", (unsigned char)*c);
        } else {
            text_add_bytes(out, c, 1);
        }
    }
    text_add(out, "\"");
}

static void add_key(struct text *out, const char *key) {
    if (out->data[out->length - 1] != '{') text_add(out, ", ");
    add_quoted(out, key);
    text_add(out, ": ");
}

void json_line_string(struct text *out, const char *key, const char *value) {
    add_key(out, key);
    add_quoted(out, value);
}

void json_line_int(struct text *out, const char *key, int64_t value) {
    add_key(out, key);
    text_add(out, "%" PRId64, value);
}

void json_line_real(struct text *out, const char *key, double value) {
    add_key(out, key);
    if (isfinite(value)) {
        text_add(out, "%.9g", value);
    } else {
        text_add(out, "null");
    }
}

void json_line_bool(struct text *out, const char *key, bool value) {
    add_key(out, key);
    text_add(out, value ? "true" : "false");
}

void json_line_end(struct text *out) {
    text_add(out, "}\n");
}
