// Option tables. Each owner of options (trainer, agent, SSL method, ...) keeps one table beside its
// struct: name, type, default, range, help. Parsing, --help, the dump of a run's configuration and
// docs/options.md all come from the tables.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

enum opt_type {
    OPT_INT,    // int64_t field
    OPT_REAL,   // double field
    OPT_BOOL,   // bool field
    OPT_STRING, // char[OPT_STRING_BYTES] field
    OPT_CHOICE, // int field: index into choices
};

#define OPT_STRING_BYTES 1024

struct opt_spec {
    const char *name; // snake_case; '-' is accepted for '_'. A table ends with a NULL name.
    enum opt_type type;
    size_t offset;
    const char *def;            // default, as text
    double min, max;            // inclusive; for numbers
    const char *const *choices; // NULL-terminated; for OPT_CHOICE
    const char *help;           // one line; counts say steps or frames
};

struct opt_table {
    const char *section; // "" for the options of the run itself (--steps), else --section.key
    const struct opt_spec *specs;
};

// Rows of a table: OPT_ROW_INT(struct ddpg_options, batch, "256", 1, 65536, "transitions an
// update").
#define OPT_ROW_INT(type, field, def, min, max, help)                                              \
    { #field, OPT_INT, offsetof(type, field), def, min, max, NULL, help }
#define OPT_ROW_REAL(type, field, def, min, max, help)                                             \
    { #field, OPT_REAL, offsetof(type, field), def, min, max, NULL, help }
#define OPT_ROW_BOOL(type, field, def, help)                                                       \
    { #field, OPT_BOOL, offsetof(type, field), def, 0, 1, NULL, help }
#define OPT_ROW_STRING(type, field, def, help)                                                     \
    { #field, OPT_STRING, offsetof(type, field), def, 0, 0, NULL, help }
#define OPT_ROW_CHOICE(type, field, def, choices, help)                                            \
    { #field, OPT_CHOICE, offsetof(type, field), def, 0, 0, choices, help }
#define OPT_END                                                                                    \
    { 0 }

const struct opt_spec *opt_find(const struct opt_table *table, const char *name);

void opt_set_defaults(const struct opt_table *table, void *values);

// Parses text into the field. origin ("configs/x.yaml:12", "--steps") opens the error message.
RL_CHECKED enum rl_status opt_set(const struct opt_table *table, const struct opt_spec *spec,
                                  void *values, const char *text, const char *origin,
                                  struct rl_error *err);

// The field as text that opt_set reads back to the same value.
void opt_format(const struct opt_spec *spec, const void *values, struct text *out);

void opt_dump_yaml(const struct opt_table *table, const void *values, struct text *out);
void opt_dump_help(const struct opt_table *table, struct text *out);     // for --help
void opt_dump_markdown(const struct opt_table *table, struct text *out); // for docs/options.md
