#include "cli/args.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/config_names.h"

#define KEY_BYTES 128

// One option as written: name without dashes, value from '=' or NULL.
struct option {
    char name[KEY_BYTES];
    const char *value;
};

static const char *short_name(const char *word) {
    static const char *const pairs[][2] = {{"-o", "output"}, {"-j", "jobs"}, {"-h", "help"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!strcmp(word, pairs[i][0])) return pairs[i][1];
    }
    return NULL;
}

static bool is_option(const char *word) {
    return (word[0] == '-' && word[1] == '-') || short_name(word);
}

static enum rl_status split_option(const char *word, struct option *option, struct rl_error *err) {
    const char *brief = short_name(word), *name = brief ? brief : word + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    if (length == 0 || length >= sizeof option->name)
        return rl_fail(err, RL_EUSAGE, "'%.60s' is not an option; write --key value", word);
    memcpy(option->name, name, length);
    option->name[length] = '\0';
    option->value = equals ? equals + 1 : NULL;
    return RL_OK;
}

// "section.key" at its first dot; a name without a dot belongs to the run itself, section "".
static void split_name(const char *name, char section[KEY_BYTES], const char **key) {
    const char *dot = strchr(name, '.');
    size_t length = dot ? (size_t)(dot - name) : 0;
    memcpy(section, name, length);
    section[length] = '\0';
    *key = dot ? dot + 1 : name;
}

// NULL when no table has it: its owner, or config_check_used, says later what it thinks of it.
static const struct opt_spec *find_spec(const char *name, const struct opt_table *const *tables,
                                        size_t n_tables) {
    char section[KEY_BYTES];
    const char *key;
    split_name(name, section, &key);
    for (size_t i = 0; i < n_tables; i++) {
        if (strcmp(tables[i]->section, section)) continue;
        const struct opt_spec *spec = opt_find(tables[i], key);
        if (spec) return spec;
    }
    return NULL;
}

static enum rl_status take_option(struct args *args, const struct option *option, bool configs,
                                  struct rl_error *err) {
    bool is_config = !strcmp(option->name, "config");
    if (is_config != configs) return RL_OK;
    if (is_config) {
        char path[4096];
        enum rl_status status = args_find_config(option->value, path, sizeof path, err);
        return status == RL_OK ? config_add_yaml_file(&args->config, path, err) : status;
    }
    char section[KEY_BYTES], origin[KEY_BYTES + 4];
    const char *key;
    split_name(option->name, section, &key);
    snprintf(origin, sizeof origin, "--%s", option->name);
    config_add(&args->config, section, key, option->value, origin, true);
    return RL_OK;
}

// One pass over the line: first for the --config files, then for everything else.
static enum rl_status pass(struct args *args, int argc, char **argv,
                           const struct opt_table *const *tables, size_t n_tables, bool configs,
                           struct rl_error *err) {
    args->n_words = 0;
    bool options_end = false;
    for (int i = 1; i < argc; i++) {
        if (options_end || !is_option(argv[i])) {
            args->words[args->n_words++] = argv[i];
            continue;
        }
        if (!strcmp(argv[i], "--")) {
            options_end = true;
            continue;
        }
        struct option option;
        enum rl_status status = split_option(argv[i], &option, err);
        if (status != RL_OK) return status;
        if (!strcmp(option.name, "help")) {
            args->help = true;
            continue;
        }
        const struct opt_spec *spec = find_spec(option.name, tables, n_tables);
        bool is_switch = spec && spec->type == OPT_BOOL;
        bool has_next = i + 1 < argc && !is_option(argv[i + 1]);
        if (!option.value && !is_switch && has_next) option.value = argv[++i];
        if (!option.value && (!spec || is_switch) && strcmp(option.name, "config"))
            option.value = "true";
        if (!option.value) return rl_fail(err, RL_EUSAGE, "--%s: a value is expected", option.name);
        if ((status = take_option(args, &option, configs, err)) != RL_OK) return status;
    }
    return RL_OK;
}

enum rl_status args_parse(struct args *args, int argc, char **argv,
                          const struct opt_table *const *tables, size_t n_tables,
                          struct rl_error *err) {
    *args = (struct args){.words = MEM_ARRAY(const char *, argc + 1)};
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) args->help = true;
    }
    if (args->help) return RL_OK;
    enum rl_status status = pass(args, argc, argv, tables, n_tables, true, err);
    if (status == RL_OK) status = pass(args, argc, argv, tables, n_tables, false, err);
    return status;
}

void args_release(struct args *args) {
    config_release(&args->config);
    mem_free(args->words);
    *args = (struct args){0};
}

enum rl_status args_read(struct args *args, int argc, char **argv, const struct opt_table *table,
                         void *values, int max_words, struct rl_error *err) {
    opt_set_defaults(table, values);
    enum rl_status status = args_parse(args, argc, argv, &table, 1, err);
    if (status != RL_OK || args->help) return status;
    if (args->n_words > max_words) {
        return rl_fail(err, RL_EUSAGE, "unexpected word '%s'; see rlrun %s --help",
                       args->words[max_words], argv[0]);
    }
    status = config_apply(&args->config, table, values, err);
    return status == RL_OK ? config_check_used(&args->config, &table, 1, err) : status;
}

void args_print_help(const char *usage, const struct opt_table *table) {
    struct text text = {0};
    opt_dump_help(table, &text);
    printf("Usage: rlrun %s\n%s%s", usage, text.length ? "\nOptions:\n" : "",
           text.length ? text.data : "");
    text_release(&text);
}

enum rl_status args_find_config(const char *name, char *out, size_t size, struct rl_error *err) {
    static const char *const forms[] = {"%s/configs/%s.yaml", "%s/configs/%s"};
    snprintf(out, size, "%s", name);
    if (file_exists(name) && !file_is_dir(name)) return RL_OK;
    for (int i = 0; i < 2; i++) {
        int length = snprintf(out, size, forms[i], file_data_dir(), name);
        if (length > 0 && (size_t)length < size && file_exists(out) && !file_is_dir(out))
            return RL_OK;
    }
    struct config_names names;
    config_names_read(&names);
    char suggestion[128];
    text_suggestion(suggestion, sizeof suggestion, name, (const char *const *)names.name,
                    (size_t)names.count);
    config_names_release(&names);
    return rl_fail(err, RL_EUSAGE, "no file '%s' here or under configs/%s", name, suggestion);
}
