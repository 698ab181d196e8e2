#include "train/sweep.h"

#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "train/parts.h"

#define FILE_LIMIT_BYTES (1 << 20)
#define BASE_DEPTH_LIMIT 8
#define TABLE_LIMIT      128
#define VARIANTS         "variants"
#define PREPARED         "prepared"

// --- the file: axes, seeds, variants, prepared files
// --------------------------------------------------

struct reader {
    struct sweep *sweep;
    const char *path; // of the file that is being read
    int depth;
};

static void axis_clear(struct sweep_axis *axis) {
    for (int i = 0; i < axis->count; i++) {
        mem_free(axis->value[i]);
        mem_free(axis->origin[i]);
    }
    axis->count = 0;
}

static void axis_release(struct sweep_axis *axis) {
    axis_clear(axis);
    mem_free(axis->value);
    mem_free(axis->origin);
    mem_free(axis->section);
    mem_free(axis->key);
    *axis = (struct sweep_axis){0};
}

static void axis_add(struct sweep_axis *axis, const char *value, const char *origin) {
    if (axis->count == axis->capacity) {
        int capacity = axis->capacity ? 2 * axis->capacity : 4;
        size_t old = (size_t)axis->capacity * sizeof(char *),
               new = (size_t)capacity * sizeof(char *);
        axis->value = mem_grow(axis->value, old, new);
        axis->origin = mem_grow(axis->origin, old, new);
        axis->capacity = capacity;
    }
    axis->value[axis->count] = mem_strdup(value);
    axis->origin[axis->count++] = mem_strdup(origin);
}

static struct sweep_axis *find_axis(struct sweep *sweep, const char *section, const char *key) {
    for (int i = 0; i < sweep->n_axes; i++) {
        struct sweep_axis *axis = &sweep->axes[i];
        if (!strcmp(axis->section, section) && text_same_name(axis->key, key)) return axis;
    }
    return NULL;
}

static struct sweep_axis *need_axis(struct sweep *sweep, const char *section, const char *key) {
    struct sweep_axis *axis = find_axis(sweep, section, key);
    if (axis) return axis;
    if (sweep->n_axes == sweep->axes_capacity) {
        int capacity = sweep->axes_capacity ? 2 * sweep->axes_capacity : 16;
        sweep->axes = mem_grow(sweep->axes, (size_t)sweep->axes_capacity * sizeof *sweep->axes,
                               (size_t)capacity * sizeof *sweep->axes);
        sweep->axes_capacity = capacity;
    }
    axis = &sweep->axes[sweep->n_axes++];
    *axis = (struct sweep_axis){.section = mem_strdup(section), .key = mem_strdup(key)};
    return axis;
}

// A later file, and a later line, wins over an earlier one.
static void set_value(struct sweep *sweep, const struct config_visit *visit) {
    struct sweep_axis *axis = need_axis(sweep, visit->section, visit->key);
    if (visit->item <= 0) axis_clear(axis);
    axis_add(axis, visit->value, visit->origin);
}

static enum rl_status set_sweep(struct sweep *sweep, const struct config_visit *visit,
                                struct rl_error *err) {
    if (!strcmp(visit->key, "name")) {
        bool fine = *visit->value && *visit->value != '.' && !strchr(visit->value, '/') &&
                    strlen(visit->value) < 128;
        if (!fine)
            return rl_fail(err, RL_EUSAGE, "%s: '%.60s' cannot name a sweep; a plain file name can",
                           visit->origin, visit->value);
        snprintf(sweep->name, sizeof sweep->name, "%s", visit->value);
        return RL_OK;
    }
    if (text_same_name(visit->key, "steps_per_s")) {
        char *end;
        sweep->steps_per_s = strtod(visit->value, &end);
        if (*end || !(sweep->steps_per_s > 0 && sweep->steps_per_s < 1e9))
            return rl_fail(err, RL_EUSAGE, "%s: steps_per_s = '%.60s': a number above 0 is allowed",
                           visit->origin, visit->value);
        return RL_OK;
    }
    return rl_fail(err, RL_EUSAGE,
                   "%s: unknown option 'sweep.%.60s'; allowed are name, steps_per_s", visit->origin,
                   visit->key);
}

static enum rl_status add_prepare(struct sweep *sweep, const struct config_visit *visit,
                                  struct rl_error *err) {
    if (strchr(visit->key, '/') || *visit->key == '.')
        return rl_fail(err, RL_EUSAGE, "%s: '%.60s' should be a plain file name", visit->origin,
                       visit->key);
    size_t size = sizeof *sweep->prepares, n = (size_t)sweep->n_prepares;
    sweep->prepares = mem_grow(sweep->prepares, n * size, (n + 1) * size);
    sweep->prepares[sweep->n_prepares++] =
        (struct sweep_prepare){.file = mem_strdup(visit->key), .command = mem_strdup(visit->value)};
    return RL_OK;
}

static enum rl_status add_seed(struct sweep *sweep, const char *text, const char *origin,
                               struct rl_error *err) {
    long long first, last;
    int end = 0;
    if (sscanf(text, "%lld..%lld%n", &first, &last, &end) != 2 || text[end]) {
        last = first = -1;
        if (sscanf(text, "%lld%n", &first, &end) == 1 && !text[end]) last = first;
    }
    if (first < 0 || last < first || last - first >= SWEEP_MAX_TRIALS)
        return rl_fail(err, RL_EUSAGE,
                       "%s: seeds: '%.60s': allowed are whole numbers from 0 on, and ranges 1..5",
                       origin, text);
    for (int64_t seed = first; seed <= last; seed++) {
        for (int i = 0; i < sweep->n_seeds; i++) {
            if (sweep->seeds[i] == seed)
                return rl_fail(err, RL_EUSAGE, "%s: seed %" PRId64 " stands twice", origin, seed);
        }
        size_t n = (size_t)sweep->n_seeds;
        sweep->seeds =
            mem_grow(sweep->seeds, n * sizeof *sweep->seeds, (n + 1) * sizeof *sweep->seeds);
        sweep->seeds[sweep->n_seeds++] = seed;
    }
    return RL_OK;
}

static enum rl_status read_file(struct reader *reader, const char *path, struct rl_error *err);

static enum rl_status read_base(struct reader *reader, const struct config_visit *visit,
                                struct rl_error *err) {
    char folder[4096], base[8200];
    snprintf(folder, sizeof folder, "%s", reader->path);
    snprintf(base, sizeof base, "%s/%.4000s", dirname(folder), visit->value);
    enum rl_status status = read_file(reader, base, err);
    return status == RL_OK ? RL_OK : rl_fail_context(err, "%s", visit->origin);
}

static enum rl_status read_value(const struct config_visit *visit, void *context,
                                 struct rl_error *err) {
    struct reader *reader = context;
    if (!strcmp(visit->section, "sweep")) return set_sweep(reader->sweep, visit, err);
    if (!strcmp(visit->section, "prepare")) return add_prepare(reader->sweep, visit, err);
    if (!strcmp(visit->section, VARIANTS)) {
        axis_add(need_axis(reader->sweep, "", VARIANTS), visit->key, visit->origin);
        axis_add(&reader->sweep->bundles, visit->value, visit->origin);
        return RL_OK;
    }
    if (!*visit->section && !strcmp(visit->key, "base")) return read_base(reader, visit, err);
    if (!*visit->section && !strcmp(visit->key, "seeds")) {
        if (visit->item <= 0) reader->sweep->n_seeds = 0;
        return add_seed(reader->sweep, visit->value, visit->origin, err);
    }
    static const char *const taken[] = {"seed", "run_dir", "name", "sweep", "prepare", VARIANTS};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (!*visit->section && text_same_name(visit->key, taken[i]))
            return rl_fail(err, RL_EUSAGE, "%s: '%s' has no place in a sweep%s", visit->origin,
                           visit->key, i == 0 ? "; 'seeds: [1, 2, 3]' has" : " as a plain value");
    }
    set_value(reader->sweep, visit);
    return RL_OK;
}

static enum rl_status read_file(struct reader *reader, const char *path, struct rl_error *err) {
    struct bytes bytes;
    if (reader->depth == BASE_DEPTH_LIMIT)
        return rl_fail(err, RL_EUSAGE, "%s: 'base' goes deeper than %d files", path,
                       BASE_DEPTH_LIMIT);
    enum rl_status status = file_read(path, FILE_LIMIT_BYTES, &bytes, err);
    if (status != RL_OK) return status;
    const char *outer = reader->path;
    reader->path = path;
    reader->depth++;
    status = config_walk_yaml((const char *)bytes.data, bytes.size, path, read_value, reader, err);
    reader->depth--;
    reader->path = outer;
    mem_free(bytes.data);
    return status;
}

// --- trials --------------------------------------------------------------------------------------

// Puts value into out with {seed} and {prepared} filled in.
static void fill_in(const struct sweep *sweep, int64_t seed, const char *value, struct text *out) {
    for (; *value; value++) {
        if (!strncmp(value, "{seed}", 6)) {
            text_add(out, "%" PRId64, seed);
            value += 5;
        } else if (!strncmp(value, "{prepared}", 10)) {
            text_add(out, "%s/" PREPARED, sweep->folder);
            value += 9;
        } else {
            text_add_bytes(out, value, 1);
        }
    }
}

static void add_setting(const struct sweep *sweep, struct sweep_trial *trial, const char *section,
                        const char *key, const char *value, const char *origin) {
    struct text filled = {0};
    text_add(&filled, "%s", "");
    fill_in(sweep, trial->seed, value, &filled);
    config_add(&trial->settings, section, key, filled.data, origin, false);
    text_release(&filled);
}

// "loop.mode=joint" into its parts.
static enum rl_status add_word(const struct sweep *sweep, struct sweep_trial *trial, char *word,
                               const char *origin, struct rl_error *err) {
    char *equals = strchr(word, '=');
    if (!equals || equals == word)
        return rl_fail(err, RL_EUSAGE,
                       "%s: '%.60s': a variant is words like encoder=byol loop.mode=joint", origin,
                       word);
    *equals = '\0';
    char *dot = strchr(word, '.');
    if (dot) *dot = '\0';
    add_setting(sweep, trial, dot ? word : "", dot ? dot + 1 : word, equals + 1, origin);
    return RL_OK;
}

static enum rl_status add_bundle(const struct sweep *sweep, struct sweep_trial *trial,
                                 const char *words, const char *origin, struct rl_error *err) {
    char *copy = mem_strdup(words), *rest = copy;
    enum rl_status status = RL_OK;
    for (char *word; status == RL_OK && (word = strsep(&rest, " \t\n"));) {
        if (*word) status = add_word(sweep, trial, word, origin, err);
    }
    mem_free(copy);
    return status;
}

static void add_name_part(char *name, const char *key, const char *value) {
    const char *slash = strrchr(value, '/'); // of a file its name is enough
    if (slash && slash[1]) value = slash + 1;
    static const char *const plain[] = {"encoder", "env", "agent", VARIANTS};
    bool named = true;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        named = named && strcmp(key, plain[i]) != 0;
    size_t length = strlen(name);
    snprintf(name + length, SWEEP_NAME_BYTES - 64 - length, "%s%s%s%s", length ? "_" : "",
             named ? key : "", named ? "-" : "", value);
}

static void make_name(const struct sweep *sweep, struct sweep_trial *trial) {
    for (int i = 0; i < sweep->n_columns; i++)
        add_name_part(trial->name, sweep->axes[sweep->column[i]].key,
                      sweep_cell(sweep, trial->row, i));
    size_t length = strlen(trial->name);
    snprintf(trial->name + length, sizeof trial->name - length, "%ss%" PRId64, length ? "_" : "",
             trial->seed);
    for (char *c = trial->name; *c; c++) {
        bool fine = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                    (*c >= '0' && *c <= '9') || strchr("_-+.", *c);
        if (!fine || (c == trial->name && *c == '.')) *c = '-';
    }
}

// Names are cut and cleaned, so that two could be the same. It is enough to look within a seed.
static enum rl_status check_names(const struct sweep *sweep, struct rl_error *err) {
    for (int i = 0; i < sweep->n_rows; i++) {
        for (int j = 0; j < i; j++) {
            if (!strcmp(sweep->trials[i].name, sweep->trials[j].name))
                return rl_fail(err, RL_EUSAGE,
                               "%s: two trials would be called %s; does a value stand twice?",
                               sweep->path, sweep->trials[i].name);
        }
    }
    return RL_OK;
}

// The value's place in the axis: rows count through the axes, the last one fastest.
static int axis_at(const struct sweep *sweep, int row, int axis) {
    for (int i = sweep->n_axes - 1; i > axis; i--) row /= sweep->axes[i].count;
    return row % sweep->axes[axis].count;
}

static enum rl_status fill_trial(const struct sweep *sweep, struct sweep_trial *trial,
                                 const struct config *options, struct rl_error *err) {
    enum rl_status status = RL_OK;
    int variants = -1;
    for (int i = 0; i < sweep->n_axes; i++) {
        const struct sweep_axis *axis = &sweep->axes[i];
        int at = axis_at(sweep, trial->row, i);
        if (!*axis->section && !strcmp(axis->key, VARIANTS)) {
            variants = at;
        } else {
            add_setting(sweep, trial, axis->section, axis->key, axis->value[at], axis->origin[at]);
        }
    }
    if (variants >= 0)
        status = add_bundle(sweep, trial, sweep->bundles.value[variants],
                            sweep->bundles.origin[variants], err);
    for (size_t i = 0; options && i < options->count; i++) {
        const struct config_entry *entry = &options->entries[i];
        add_setting(sweep, trial, entry->section, entry->key, entry->value, entry->origin);
    }
    char seed[32];
    snprintf(seed, sizeof seed, "%" PRId64, trial->seed);
    config_add(&trial->settings, "", "seed", seed, sweep->path, false);
    const char *agent = config_get(&trial->settings, "", "agent");
    snprintf(trial->agent, sizeof trial->agent, "%s", agent ? agent : "ddpg");
    make_name(sweep, trial);
    return status;
}

static enum rl_status lay_out(struct sweep *sweep, const struct config *options,
                              struct rl_error *err) {
    int64_t rows = 1;
    for (int i = 0; i < sweep->n_axes; i++) {
        rows *= sweep->axes[i].count;
        if (rows * sweep->n_seeds > SWEEP_MAX_TRIALS)
            return rl_fail(err, RL_EUSAGE, "%s: more than %d trials", sweep->path,
                           SWEEP_MAX_TRIALS);
        if (sweep->axes[i].count == 1) continue;
        if (sweep->n_columns == SWEEP_MAX_COLUMNS)
            return rl_fail(err, RL_EUSAGE, "%s: more than %d lists", sweep->path,
                           SWEEP_MAX_COLUMNS);
        sweep->column[sweep->n_columns++] = i;
    }
    sweep->n_rows = (int)rows;
    sweep->n_trials = sweep->n_rows * sweep->n_seeds;
    sweep->trials = MEM_ARRAY(struct sweep_trial, sweep->n_trials);
    enum rl_status status = RL_OK;
    for (int i = 0; i < sweep->n_trials && status == RL_OK; i++) {
        sweep->trials[i].row = i % sweep->n_rows;
        sweep->trials[i].seed = sweep->seeds[i / sweep->n_rows];
        status = fill_trial(sweep, &sweep->trials[i], options, err);
    }
    return status == RL_OK ? check_names(sweep, err) : status;
}

// An option of the command line takes the place of a list.
static void apply_options(struct sweep *sweep, const struct config *options, const char *seeds) {
    struct text words = {0};
    text_add(&words, "%s%s", *seeds ? " --seeds " : "", seeds);
    for (size_t i = 0; options && i < options->count; i++) {
        const struct config_entry *entry = &options->entries[i];
        text_add(&words, " --%s%s%s=%s", entry->section, *entry->section ? "." : "", entry->key,
                 entry->value);
        struct sweep_axis *axis = find_axis(sweep, entry->section, entry->key);
        if (!axis) continue;
        axis_clear(axis);
        axis_add(axis, entry->value, entry->origin);
    }
    sweep->options = words.data;
}

static void default_name(struct sweep *sweep) {
    char copy[SWEEP_PATH_BYTES];
    snprintf(copy, sizeof copy, "%s", sweep->path);
    snprintf(sweep->name, sizeof sweep->name, "%.128s", basename(copy));
    char *dot = strrchr(sweep->name, '.');
    if (dot && dot != sweep->name) *dot = '\0';
}

static enum rl_status read_seeds(struct sweep *sweep, const char *words, struct rl_error *err) {
    char *copy = mem_strdup(words), *rest = copy;
    enum rl_status status = RL_OK;
    if (*words) sweep->n_seeds = 0;
    for (char *word; *words && status == RL_OK && (word = strsep(&rest, ","));)
        status = add_seed(sweep, word, "--seeds", err);
    if (!sweep->n_seeds && status == RL_OK) status = add_seed(sweep, "1", "seeds", err);
    mem_free(copy);
    return status;
}

enum rl_status sweep_read(struct sweep *sweep, const char *path,
                          const struct sweep_changes *changes, struct rl_error *err) {
    *sweep = (struct sweep){0};
    if (strlen(path) >= sizeof sweep->path || strlen(changes->folder) >= sizeof sweep->folder)
        return rl_fail(err, RL_EUSAGE, "path too long: %.60s...", path);
    strcpy(sweep->path, path);
    default_name(sweep);
    struct reader reader = {.sweep = sweep};
    enum rl_status status = read_file(&reader, path, err);
    if (status == RL_OK) status = read_seeds(sweep, changes->seeds, err);
    if (status != RL_OK) return status;
    snprintf(sweep->folder, sizeof sweep->folder, "%s%s", *changes->folder ? "" : "runs/",
             *changes->folder ? changes->folder : sweep->name);
    apply_options(sweep, changes->options, changes->seeds);
    return lay_out(sweep, changes->options, err);
}

void sweep_release(struct sweep *sweep) {
    for (int i = 0; i < sweep->n_trials && sweep->trials; i++)
        config_release(&sweep->trials[i].settings);
    for (int i = 0; i < sweep->n_axes; i++) axis_release(&sweep->axes[i]);
    axis_release(&sweep->bundles);
    for (int i = 0; i < sweep->n_prepares; i++) {
        mem_free(sweep->prepares[i].file);
        mem_free(sweep->prepares[i].command);
    }
    mem_free(sweep->prepares);
    mem_free(sweep->options);
    mem_free(sweep->axes);
    mem_free(sweep->trials);
    mem_free(sweep->seeds);
    *sweep = (struct sweep){0};
}

// --- what others ask of a sweep ---------------------------------------------------------------

enum rl_status sweep_check(const struct sweep_trial *trial, struct rl_error *err) {
    const struct opt_table *tables[TABLE_LIMIT];
    size_t count = parts_tables(tables, TABLE_LIMIT);
    enum rl_status status = config_check_used(&trial->settings, tables, count, err);
    if (status == RL_OK && !agent_find(trial->agent))
        status = rl_fail(err, RL_EUSAGE, "unknown agent '%s'", trial->agent);
    if (status != RL_OK) return status;
    struct parts parts;
    struct config settings =
        trial->settings; // reading marks entries as used, which is of no matter
    return parts_read_options(&parts, trial->agent, &settings, err);
}

void sweep_heading(const struct sweep *sweep, int column, char *out, size_t size) {
    const struct sweep_axis *axis = &sweep->axes[sweep->column[column]];
    if (!*axis->section && !strcmp(axis->key, VARIANTS)) {
        snprintf(out, size, "variant");
    } else {
        snprintf(out, size, "%s%s%s", axis->section, *axis->section ? "." : "", axis->key);
    }
}

const char *sweep_cell(const struct sweep *sweep, int row, int column) {
    int axis = sweep->column[column];
    return sweep->axes[axis].value[axis_at(sweep, row, axis)];
}

void sweep_run_path(const struct sweep *sweep, const struct sweep_trial *trial, char *out) {
    snprintf(out, SWEEP_FILE_BYTES, "%s/%s", sweep->folder, trial->name);
}

void sweep_trial_path(const struct sweep *sweep, const struct sweep_trial *trial,
                      const char *suffix, char *out) {
    snprintf(out, SWEEP_FILE_BYTES, "%s/trials/%s%s", sweep->folder, trial->name, suffix);
}

// A YAML scalar in single quotes: any text as it is.
static void add_entry(struct text *out, const char *indent, const struct config_entry *entry) {
    text_add(out, "%s%s: '", indent, entry->key);
    for (const char *c = entry->value; *c; c++) text_add(out, *c == '\'' ? "''" : "%c", *c);
    text_add(out, "'\n");
}

// The last entry of its option, and not an earlier one that it replaces.
static bool is_last(const struct config *config, size_t at) {
    const struct config_entry *entry = &config->entries[at];
    for (size_t i = at + 1; i < config->count; i++) {
        if (!strcmp(config->entries[i].section, entry->section) &&
            text_same_name(config->entries[i].key, entry->key))
            return false;
    }
    return true;
}

void sweep_trial_yaml(const struct sweep_trial *trial, struct text *out) {
    const struct config *config = &trial->settings;
    for (size_t i = 0; i < config->count; i++) {
        if (!*config->entries[i].section && is_last(config, i))
            add_entry(out, "", &config->entries[i]);
    }
    for (size_t i = 0; i < config->count; i++) {
        const char *section = config->entries[i].section;
        bool seen = !*section;
        for (size_t j = 0; j < i && !seen; j++) seen = !strcmp(config->entries[j].section, section);
        if (seen) continue;
        text_add(out, "%s:\n", section);
        for (size_t j = i; j < config->count; j++) {
            if (!strcmp(config->entries[j].section, section) && is_last(config, j))
                add_entry(out, "  ", &config->entries[j]);
        }
    }
}

bool sweep_needs(const struct sweep *sweep, const struct sweep_trial *trial,
                 const struct sweep_prepare *prepare, char *file, struct text *command) {
    struct text path = {0};
    text_add(&path, "%s/" PREPARED "/", sweep->folder);
    fill_in(sweep, trial->seed, prepare->file, &path);
    bool needed = false;
    for (size_t i = 0; i < trial->settings.count && !needed; i++)
        needed = strstr(trial->settings.entries[i].value, path.data) != NULL;
    if (needed) {
        snprintf(file, SWEEP_FILE_BYTES, "%s", path.data);
        fill_in(sweep, trial->seed, prepare->command, command);
    }
    text_release(&path);
    return needed;
}
