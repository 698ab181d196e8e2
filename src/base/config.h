// What the user asked for, before any owner has read it: (section, key, value, origin) in order,
// from YAML files (two levels: top-level scalars belong to section "", mappings are sections;
// "base: other.yaml" reads that file first, relative to this one) and from the command line. Later
// entries win. Flow: config_add_* -> config_apply for each owner's table -> config_check_used.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/opt.h"

struct config_entry {
    char *section, *key, *value, *origin;
    bool used, from_command_line;
};

struct config {
    struct config_entry *entries;
    size_t count, capacity;
};

void config_release(struct config *config);

void config_add(struct config *config, const char *section, const char *key, const char *value,
                const char *origin, bool from_command_line);

RL_CHECKED enum rl_status config_add_yaml_file(struct config *config, const char *path,
                                               struct rl_error *err);
RL_CHECKED enum rl_status config_add_yaml_text(struct config *config, const char *text, size_t size,
                                               const char *name, struct rl_error *err);

// Last value given for a key, or NULL. Marks nothing.
const char *config_get(const struct config *config, const char *section, const char *key);

// Sets the table's defaults in values, then every entry of its section. An entry whose key is not
// in the table is an error with its origin and the nearest name.
RL_CHECKED enum rl_status config_apply(struct config *config, const struct opt_table *table,
                                       void *values, struct rl_error *err);

// Entries that nobody applied: the section must be one of tables (a known owner that this run does
// not use); its key and value are still checked. From the command line such an entry is an error.
RL_CHECKED enum rl_status config_check_used(const struct config *config,
                                            const struct opt_table *const *tables, size_t n_tables,
                                            struct rl_error *err);

// The reader beneath, for files with lists (sweeps): calls visit for each scalar, list elements in
// order with item = 0, 1, ... (plain scalars: item = -1). Two levels and lists of scalars; nothing
// else is allowed.
struct config_visit {
    const char *section, *key, *value, *origin; // borrowed for the call; origin is "file:line"
    int item;
};
typedef enum rl_status (*config_visit_fn)(const struct config_visit *visit, void *context,
                                          struct rl_error *err);
RL_CHECKED enum rl_status config_walk_yaml(const char *text, size_t size, const char *name,
                                           config_visit_fn visit, void *context,
                                           struct rl_error *err);
