#include "base/config.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"
#include "base/mem.h"

#define FILE_LIMIT_BYTES (1 << 20)
#define BASE_DEPTH_LIMIT 8

void config_release(struct config *config) {
    for (size_t i = 0; i < config->count; i++) {
        struct config_entry *entry = &config->entries[i];
        mem_free(entry->section);
        mem_free(entry->key);
        mem_free(entry->value);
        mem_free(entry->origin);
    }
    mem_free(config->entries);
    *config = (struct config){0};
}

void config_add(struct config *config, const char *section, const char *key, const char *value,
                const char *origin, bool from_command_line) {
    if (config->count == config->capacity) {
        size_t capacity = config->capacity ? 2 * config->capacity : 32;
        config->entries = mem_grow(config->entries, config->capacity * sizeof *config->entries,
                                   capacity * sizeof *config->entries);
        config->capacity = capacity;
    }
    config->entries[config->count++] = (struct config_entry){
        .section = mem_strdup(section),
        .key = mem_strdup(key),
        .value = mem_strdup(value),
        .origin = mem_strdup(origin),
        .from_command_line = from_command_line,
    };
}

const char *config_get(const struct config *config, const char *section, const char *key) {
    for (size_t i = config->count; i-- > 0;) {
        const struct config_entry *entry = &config->entries[i];
        if (!strcmp(entry->section, section) && text_same_name(entry->key, key))
            return entry->value;
    }
    return NULL;
}

// --- YAML, read event by event: two levels of mappings, lists of scalars ---

struct walker {
    yaml_parser_t parser;
    yaml_event_t event;
    const char *name;
    char section[128], key[128], origin[512];
    config_visit_fn visit;
    void *context;
    struct rl_error *err;
};

static enum rl_status walk_fail(struct walker *walker, const char *what) {
    return rl_fail(walker->err, RL_EUSAGE, "%s:%zu: %s", walker->name,
                   walker->event.start_mark.line + 1, what);
}

static enum rl_status next_event(struct walker *walker) {
    yaml_event_delete(&walker->event);
    if (yaml_parser_parse(&walker->parser, &walker->event)) {
        snprintf(walker->origin, sizeof walker->origin, "%s:%zu", walker->name,
                 walker->event.start_mark.line + 1);
        return RL_OK;
    }
    memset(&walker->event, 0, sizeof walker->event);
    const char *problem = walker->parser.problem ? walker->parser.problem : "not YAML";
    return rl_fail(walker->err, RL_EUSAGE, "%s:%zu: %s", walker->name,
                   walker->parser.problem_mark.line + 1, problem);
}

static enum rl_status walk_scalar(struct walker *walker, int item) {
    const char *value = (const char *)walker->event.data.scalar.value;
    if (strlen(value) != walker->event.data.scalar.length)
        return walk_fail(walker, "NUL in a value");
    struct config_visit visit = {walker->section, walker->key, value, walker->origin, item};
    return walker->visit(&visit, walker->context, walker->err);
}

static enum rl_status walk_list(struct walker *walker) {
    for (int item = 0;; item++) {
        enum rl_status status = next_event(walker);
        if (status != RL_OK) return status;
        if (walker->event.type == YAML_SEQUENCE_END_EVENT) {
            return item ? RL_OK : walk_fail(walker, "empty list");
        }
        if (walker->event.type != YAML_SCALAR_EVENT)
            return walk_fail(walker, "a list of plain values is expected");
        if ((status = walk_scalar(walker, item)) != RL_OK) return status;
    }
}

static enum rl_status walk_mapping(struct walker *walker, int depth);

static enum rl_status walk_value(struct walker *walker, int depth) {
    switch (walker->event.type) {
    case YAML_SCALAR_EVENT: return walk_scalar(walker, -1);
    case YAML_SEQUENCE_START_EVENT: return walk_list(walker);
    case YAML_MAPPING_START_EVENT:
        if (depth > 0)
            return walk_fail(walker, "only two levels (section: key: value) are allowed");
        strcpy(walker->section, walker->key);
        return walk_mapping(walker, depth + 1);
    default: return walk_fail(walker, "a value, a list or a section is expected (no anchors)");
    }
}

// The mapping's start has been read.
static enum rl_status walk_mapping(struct walker *walker, int depth) {
    for (;;) {
        enum rl_status status = next_event(walker);
        if (status != RL_OK) return status;
        if (walker->event.type == YAML_MAPPING_END_EVENT) break;
        if (walker->event.type != YAML_SCALAR_EVENT)
            return walk_fail(walker, "a key must be plain text");
        const char *key = (const char *)walker->event.data.scalar.value;
        if (strlen(key) >= sizeof walker->key || !*key) return walk_fail(walker, "bad key");
        strcpy(walker->key, key);
        if ((status = next_event(walker)) != RL_OK) return status;
        if ((status = walk_value(walker, depth)) != RL_OK) return status;
    }
    if (depth > 0) walker->section[0] = '\0';
    return RL_OK;
}

static enum rl_status walk_document(struct walker *walker) {
    static const yaml_event_type_t opening[] = {YAML_STREAM_START_EVENT, YAML_DOCUMENT_START_EVENT};
    for (int i = 0; i < 2; i++) {
        enum rl_status status = next_event(walker);
        if (status != RL_OK) return status;
        if (i == 1 && walker->event.type == YAML_STREAM_END_EVENT) return RL_OK; // empty file
        if (walker->event.type != opening[i]) return walk_fail(walker, "a mapping is expected");
    }
    enum rl_status status = next_event(walker);
    if (status != RL_OK) return status;
    bool empty = walker->event.type == YAML_SCALAR_EVENT && !walker->event.data.scalar.length;
    if (empty) return RL_OK;
    if (walker->event.type != YAML_MAPPING_START_EVENT)
        return walk_fail(walker, "a mapping is expected");
    return walk_mapping(walker, 0);
}

enum rl_status config_walk_yaml(const char *text, size_t size, const char *name,
                                config_visit_fn visit, void *context, struct rl_error *err) {
    struct walker walker = {.name = name, .visit = visit, .context = context, .err = err};
    if (!yaml_parser_initialize(&walker.parser)) return rl_fail(err, RL_ENOMEM, "YAML parser");
    yaml_parser_set_input_string(&walker.parser, (const unsigned char *)text, size);
    enum rl_status status = walk_document(&walker);
    yaml_event_delete(&walker.event);
    yaml_parser_delete(&walker.parser);
    return status;
}

// --- files with "base:" ---

struct adder {
    struct config *config;
    const char *path; // NULL for text without a folder
    int depth;
};

static enum rl_status add_file(struct config *config, const char *path, int depth,
                               struct rl_error *err);

static enum rl_status add_visit(const struct config_visit *visit, void *context,
                                struct rl_error *err) {
    struct adder *adder = context;
    if (visit->item >= 0) {
        return rl_fail(err, RL_EUSAGE, "%s: '%s' is a list; lists are for rlrun sweep",
                       visit->origin, visit->key);
    }
    if (!visit->section[0] && !strcmp(visit->key, "base") && adder->path) {
        char folder[4096], base[8200];
        snprintf(folder, sizeof folder, "%s", adder->path);
        snprintf(base, sizeof base, "%s/%.4000s", dirname(folder), visit->value);
        enum rl_status status = add_file(adder->config, base, adder->depth + 1, err);
        return status == RL_OK ? RL_OK : rl_fail_context(err, "%s", visit->origin);
    }
    config_add(adder->config, visit->section, visit->key, visit->value, visit->origin, false);
    return RL_OK;
}

static enum rl_status add_file(struct config *config, const char *path, int depth,
                               struct rl_error *err) {
    if (depth > BASE_DEPTH_LIMIT) {
        return rl_fail(err, RL_EUSAGE, "%s: 'base' goes deeper than %d files", path,
                       BASE_DEPTH_LIMIT);
    }
    struct bytes bytes;
    enum rl_status status = file_read(path, FILE_LIMIT_BYTES, &bytes, err);
    if (status != RL_OK) return status;
    struct adder adder = {config, path, depth};
    status = config_walk_yaml((const char *)bytes.data, bytes.size, path, add_visit, &adder, err);
    mem_free(bytes.data);
    return status;
}

enum rl_status config_add_yaml_file(struct config *config, const char *path, struct rl_error *err) {
    return add_file(config, path, 0, err);
}

enum rl_status config_add_yaml_text(struct config *config, const char *text, size_t size,
                                    const char *name, struct rl_error *err) {
    struct adder adder = {config, NULL, 0};
    return config_walk_yaml(text, size, name, add_visit, &adder, err);
}

// --- handing the entries to their owners ---

static enum rl_status unknown_key(const struct opt_table *table, const struct config_entry *entry,
                                  struct rl_error *err) {
    const char *names[256];
    size_t count = 0;
    for (const struct opt_spec *spec = table->specs; spec->name && count < 256; spec++) {
        names[count++] = spec->name;
    }
    char suggestion[128];
    text_suggestion(suggestion, sizeof suggestion, entry->key, names, count);
    return rl_fail(err, RL_EUSAGE, "%s: unknown option '%s%s%s'%s", entry->origin, entry->section,
                   entry->section[0] ? "." : "", entry->key, suggestion);
}

enum rl_status config_apply(struct config *config, const struct opt_table *table, void *values,
                            struct rl_error *err) {
    opt_set_defaults(table, values);
    for (size_t i = 0; i < config->count; i++) {
        struct config_entry *entry = &config->entries[i];
        if (strcmp(entry->section, table->section)) continue;
        const struct opt_spec *spec = opt_find(table, entry->key);
        if (!spec) return unknown_key(table, entry, err);
        enum rl_status status = opt_set(table, spec, values, entry->value, entry->origin, err);
        if (status != RL_OK) return status;
        entry->used = true;
    }
    return RL_OK;
}

static size_t values_size(const struct opt_table *table) {
    size_t size = 0;
    for (const struct opt_spec *spec = table->specs; spec->name; spec++) {
        size_t end = spec->offset + (spec->type == OPT_STRING ? OPT_STRING_BYTES : sizeof(double));
        if (end > size) size = end;
    }
    return size;
}

static enum rl_status check_entry(const struct config_entry *entry,
                                  const struct opt_table *const *tables, size_t n_tables,
                                  struct rl_error *err) {
    const char *names[256];
    size_t count = 0;
    for (size_t i = 0; i < n_tables; i++) {
        if (count < 256) names[count++] = tables[i]->section;
        if (strcmp(tables[i]->section, entry->section)) continue;
        if (entry->from_command_line) {
            return rl_fail(err, RL_EUSAGE, "%s: this run does not use '%s'", entry->origin,
                           entry->section);
        }
        const struct opt_spec *spec = opt_find(tables[i], entry->key);
        if (!spec) return unknown_key(tables[i], entry, err);
        void *scratch = mem_alloc(values_size(tables[i]));
        enum rl_status status = opt_set(tables[i], spec, scratch, entry->value, entry->origin, err);
        mem_free(scratch);
        return status;
    }
    char suggestion[128];
    text_suggestion(suggestion, sizeof suggestion, entry->section, names, count);
    return rl_fail(err, RL_EUSAGE, "%s: unknown section '%s'%s", entry->origin, entry->section,
                   suggestion);
}

enum rl_status config_check_used(const struct config *config, const struct opt_table *const *tables,
                                 size_t n_tables, struct rl_error *err) {
    for (size_t i = 0; i < config->count; i++) {
        if (config->entries[i].used) continue;
        enum rl_status status = check_entry(&config->entries[i], tables, n_tables, err);
        if (status != RL_OK) return status;
    }
    return RL_OK;
}
