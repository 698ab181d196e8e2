#include "base/opt.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct opt_spec *opt_find(const struct opt_table *table, const char *name) {
    for (const struct opt_spec *spec = table->specs; spec->name; spec++) {
        if (text_same_name(spec->name, name)) return spec;
    }
    return NULL;
}

void opt_set_defaults(const struct opt_table *table, void *values) {
    for (const struct opt_spec *spec = table->specs; spec->name; spec++) {
        struct rl_error err = {0};
        if (opt_set(table, spec, values, spec->def, "default", &err) != RL_OK) {
            rl_abort(__FILE__, __LINE__, "option table %s: %s", table->section, err.message);
        }
    }
}

static enum rl_status refuse(const struct opt_table *table, const struct opt_spec *spec,
                             const char *text, const char *origin, const char *allowed,
                             struct rl_error *err) {
    return rl_fail(err, RL_EUSAGE, "%s: %s%s%s = '%s': allowed is %s", origin, table->section,
                   table->section[0] ? "." : "", spec->name, text, allowed);
}

// 1e6 and 1_000_000 are integers too when they are whole.
static bool parse_int(const char *text, int64_t *value) {
    char *end;
    errno = 0;
    long long whole = strtoll(text, &end, 10);
    if (end != text && !*end && errno == 0) {
        *value = whole;
        return true;
    }
    double real = strtod(text, &end);
    if (end == text || *end || !(fabs(real) < 9e15) || real != floor(real)) return false;
    *value = (int64_t)real;
    return true;
}

static bool parse_bool(const char *text, bool *value) {
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no",
                                                                                "off", "0"};
    for (int i = 0; i < 4; i++) {
        if (!strcmp(text, yes[i])) return *value = true;
        if (!strcmp(text, no[i])) return *value = false, true;
    }
    return false;
}

static bool parse_choice(const struct opt_spec *spec, const char *text, int *value) {
    for (int i = 0; spec->choices[i]; i++) {
        if (!text_same_name(spec->choices[i], text)) continue;
        *value = i;
        return true;
    }
    return false;
}

static void list_choices(const struct opt_spec *spec, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; spec->choices[i] && used < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", spec->choices[i]);
    }
}

enum rl_status opt_set(const struct opt_table *table, const struct opt_spec *spec, void *values,
                       const char *text, const char *origin, struct rl_error *err) {
    void *field = (char *)values + spec->offset;
    char allowed[256];
    snprintf(allowed, sizeof allowed, "%s %.17g to %.17g",
             spec->type == OPT_INT ? "a whole number" : "a number", spec->min, spec->max);
    switch (spec->type) {
    case OPT_INT: {
        int64_t value;
        bool ok =
            parse_int(text, &value) && (double)value >= spec->min && (double)value <= spec->max;
        if (!ok) return refuse(table, spec, text, origin, allowed, err);
        *(int64_t *)field = value;
        return RL_OK;
    }
    case OPT_REAL: {
        char *end;
        double value = strtod(text, &end);
        bool ok = end != text && !*end && value >= spec->min && value <= spec->max; // NaN fails
        if (!ok) return refuse(table, spec, text, origin, allowed, err);
        *(double *)field = value;
        return RL_OK;
    }
    case OPT_BOOL:
        if (parse_bool(text, field)) return RL_OK;
        return refuse(table, spec, text, origin, "true or false", err);
    case OPT_STRING:
        if (strlen(text) < OPT_STRING_BYTES) return strcpy(field, text), RL_OK;
        return refuse(table, spec, "...", origin, "at most 1023 bytes", err);
    case OPT_CHOICE:
        if (parse_choice(spec, text, field)) return RL_OK;
        list_choices(spec, allowed, sizeof allowed);
        return refuse(table, spec, text, origin, allowed, err);
    }
    return RL_OK;
}

void opt_format(const struct opt_spec *spec, const void *values, struct text *out) {
    const void *field = (const char *)values + spec->offset;
    switch (spec->type) {
    case OPT_INT: text_add(out, "%" PRId64, *(const int64_t *)field); break;
    case OPT_REAL: {
        char shortest[40]; // the fewest digits that read back to the same value
        for (int digits = 6; digits <= 17; digits++) {
            snprintf(shortest, sizeof shortest, "%.*g", digits, *(const double *)field);
            if (strtod(shortest, NULL) == *(const double *)field) break;
        }
        text_add(out, "%s", shortest);
        break;
    }
    case OPT_BOOL: text_add(out, "%s", *(const bool *)field ? "true" : "false"); break;
    case OPT_STRING: text_add(out, "%s", (const char *)field); break;
    case OPT_CHOICE: text_add(out, "%s", spec->choices[*(const int *)field]); break;
    }
}

// Characters beyond ASCII that YAML takes for line breaks or refuses: U+0080 to U+009F, U+2028,
// U+2029, U+FFFE, U+FFFF. Writes the escape and returns the bytes that it stands for; 0: none.
static size_t escape_wide(const char *text, struct text *out) {
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) {
        text_add(out, "\\x%02x", c[1]);
        return 2;
    }
    bool separator = c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9);
    bool no_character = c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe;
    if (!separator && !no_character) return 0;
    text_add(out, "\\u%04x", (c[0] & 0xfu) << 12 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu));
    return 3;
}

// Strings in double quotes with YAML's escapes, so that any value reads back.
static void dump_quoted(const char *value, struct text *out) {
    text_add(out, "\"");
    for (const char *c = value; *c; c++) {
        size_t wide = escape_wide(c, out);
        if (wide) {
            c += wide - 1;
        } else if (*c == '"' || *c == '\\') {
            text_add(out, "\\%c", *c);
        } else if ((unsigned char)*c < 32 || *c == 127) {
            text_add(out, "\\x%02x", (unsigned char)*c);
        } else {
            text_add_bytes(out, c, 1);
        }
    }
    text_add(out, "\"");
}

void opt_dump_yaml(const struct opt_table *table, const void *values, struct text *out) {
    const char *indent = table->section[0] ? "  " : "";
    if (table->section[0])
        text_add(out, "%s:%s\n", table->section, table->specs->name ? "" : " {}");
    for (const struct opt_spec *spec = table->specs; spec->name; spec++) {
        text_add(out, "%s%s: ", indent, spec->name);
        if (spec->type == OPT_STRING) {
            dump_quoted((const char *)values + spec->offset, out);
        } else {
            opt_format(spec, values, out);
        }
        text_add(out, "\n");
    }
}

static void dump_allowed(const struct opt_spec *spec, struct text *out) {
    char choices[256];
    switch (spec->type) {
    case OPT_INT:
    case OPT_REAL: text_add(out, "%g..%g", spec->min, spec->max); break;
    case OPT_BOOL: text_add(out, "true, false"); break;
    case OPT_STRING: text_add(out, "text"); break;
    case OPT_CHOICE:
        list_choices(spec, choices, sizeof choices);
        text_add(out, "%s", choices);
        break;
    }
}

void opt_dump_help(const struct opt_table *table, struct text *out) {
    for (const struct opt_spec *spec = table->specs; spec->name; spec++) {
        char flag[96];
        snprintf(flag, sizeof flag, "--%s%s%s", table->section, table->section[0] ? "." : "",
                 spec->name);
        if (!table->section[0]) {
            for (char *c = flag + 2; *c; c++) *c = *c == '_' ? '-' : *c;
        }
        text_add(out, "  %-28s %s [%s; ", flag, spec->help, spec->def[0] ? spec->def : "none");
        dump_allowed(spec, out);
        text_add(out, "]\n");
    }
}

void opt_dump_markdown(const struct opt_table *table, struct text *out) {
    for (const struct opt_spec *spec = table->specs; spec->name; spec++) {
        text_add(out, "| `--%s%s%s` | %s | ", table->section, table->section[0] ? "." : "",
                 spec->name, spec->def[0] ? spec->def : "none");
        dump_allowed(spec, out);
        text_add(out, " | %s |\n", spec->help);
    }
}
