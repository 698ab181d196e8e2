#include "train/run_set.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "train/logger.h"
#include "train/metrics_file.h"

enum { SEARCH_DEPTH = 3 }; // folders below the one that is named
#define TRIALS        "/trials/"
#define FAILED_SUFFIX ".failed"

const char *const run_state_names[] = {"ended", "running", "stopped", "failed"};

// --- one run ---

static void keep_last(struct metrics *last, const struct metrics *row) {
    for (int i = 0; i < row->count; i++) {
        int at = 0;
        while (at < last->count && strcmp(last->name[at], row->name[i])) at++;
        if (at == last->count) {
            metrics_add(last, row->name[i], metrics_mean(row, i));
        } else {
            last->sum[at] = metrics_mean(row, i);
            last->weight[at] = 1;
        }
    }
}

static void note_row(void *context, const struct metrics_row *row) {
    struct run_info *run = context;
    run->frames = row->frames;
    run->steps = row->steps;
    run->updates = row->updates;
    run->wall_s = row->wall_s;
    keep_last(&run->last, &row->values);
    double mean = metrics_get(&row->values, "return_mean");
    if (strcmp(row->kind, "eval") || isnan(mean)) return;
    run->score = mean;
    run->best = fmax(run->best, mean);
}

// What a sweep says of a trial that failed: FOLDER/trials/NAME.failed beside FOLDER/NAME (sweep.h).
static bool read_failure(const char *folder, const char *name, char *out, size_t size) {
    char path[RUN_DIR_PATH_BYTES + 64];
    struct bytes bytes;
    int length = snprintf(path, sizeof(path), "%s" TRIALS "%s" FAILED_SUFFIX, folder, name);
    if (length >= (int)sizeof(path) || file_read(path, 1 << 16, &bytes, NULL) != RL_OK)
        return false;
    snprintf(out, size, "%s", (const char *)bytes.data);
    out[strcspn(out, "\n")] = 0;
    mem_free(bytes.data);
    return true;
}

static bool has_failed(const struct run_info *run, char *out, size_t size) {
    char folder[RUN_DIR_PATH_BYTES];
    const char *slash = strrchr(run->path, '/');
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - run->path) : 1,
             slash ? run->path : ".");
    return read_failure(folder, run->name, out, size);
}

static enum rl_status add_run(struct run_set *set, const struct run_dir *dir,
                              struct rl_error *err) {
    char path[RUN_DIR_PATH_BYTES + 64];
    if (set->n_runs == set->capacity) {
        size_t old = (size_t)set->capacity * sizeof(*set->runs);
        set->capacity = set->capacity ? 2 * set->capacity : 8;
        set->runs = mem_grow(set->runs, old, (size_t)set->capacity * sizeof(*set->runs));
    }
    struct run_info *run = &set->runs[set->n_runs++];
    *run = (struct run_info){.score = NAN, .best = NAN};
    strcpy(run->path, dir->path);
    for (size_t n = strlen(run->path); n > 1 && run->path[n - 1] == '/'; n--) run->path[n - 1] = 0;
    const char *slash = strrchr(run->path, '/');
    snprintf(run->name, sizeof(run->name), "%s", slash ? slash + 1 : run->path);
    run_dir_file(dir, path, RUN_DIR_CONFIG);
    enum rl_status status = config_add_yaml_file(&run->config, path, err);
    if (status != RL_OK) return status;
    const char *seed = config_get(&run->config, "", "seed");
    run->seed = seed ? strtoll(seed, NULL, 10) : 0;
    run_dir_file(dir, path, RUN_DIR_FINAL);
    run->state = has_failed(run, run->error, sizeof(run->error)) ? RUN_STATE_FAILED
                 : run_dir_is_busy(dir)                          ? RUN_STATE_RUNNING
                 : file_exists(path)                             ? RUN_STATE_ENDED
                                                                 : RUN_STATE_STOPPED;
    run_dir_file(dir, path, LOGGER_METRICS_FILE);
    if (!file_exists(path)) return RL_OK; // it has just begun
    return metrics_file_read(path, note_row, run, err);
}

// --- folders of runs ---

static int visible_folder(const struct dirent *entry) {
    return entry->d_name[0] != '.' && (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN);
}

// Every run in a folder, by name, and in the folders below it.
static enum rl_status add_folder(struct run_set *set, const char *folder, int depth,
                                 struct rl_error *err) {
    struct dirent **entries;
    int count = scandir(folder, &entries, visible_folder, alphasort);
    enum rl_status status = RL_OK;
    for (int i = 0; i < count; i++) {
        char path[RUN_DIR_PATH_BYTES], config[RUN_DIR_PATH_BYTES + 64];
        struct run_dir dir;
        int length = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        free(entries[i]);
        if (status != RL_OK || length >= (int)sizeof(path) || !file_is_dir(path)) continue;
        snprintf(config, sizeof(config), "%s/" RUN_DIR_CONFIG, path);
        if (file_exists(config)) {
            status = run_dir_find(&dir, path, err);
            if (status == RL_OK) status = add_run(set, &dir, err);
        } else if (depth > 1) {
            status = add_folder(set, path, depth - 1, err);
        }
    }
    if (count >= 0) free(entries);
    return status;
}

static int failure_file(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');
    return entry->d_name[0] != '.' && dot && !strcmp(dot, FAILED_SUFFIX);
}

// Trials whose failure is noted and that have no folder.
static void add_failures(struct run_set *set, const char *folder) {
    struct dirent **entries;
    char path[RUN_DIR_PATH_BYTES + 16];
    snprintf(path, sizeof(path), "%s" TRIALS, folder);
    int count = scandir(path, &entries, failure_file, alphasort);
    for (int i = 0; i < count; i++) {
        struct run_failure failure;
        char *name = entries[i]->d_name;
        name[strlen(name) - strlen(FAILED_SUFFIX)] = 0;
        int length = snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (length < (int)sizeof(path) && !file_is_dir(path) &&
            read_failure(folder, name, failure.error, sizeof(failure.error))) {
            snprintf(failure.name, sizeof(failure.name), "%s", name);
            size_t each = sizeof(failure), old = (size_t)set->n_failures * each;
            set->failures = mem_grow(set->failures, old, old + each);
            set->failures[set->n_failures++] = failure;
        }
        free(entries[i]);
    }
    if (count >= 0) free(entries);
}

static enum rl_status add_word(struct run_set *set, const char *word, struct rl_error *err) {
    struct run_dir dir;
    struct rl_error not_a_run = {0};
    if (run_dir_find(&dir, word, &not_a_run) == RL_OK) return add_run(set, &dir, err);
    int before = set->n_runs;
    char under_runs[RUN_DIR_PATH_BYTES];
    int length = snprintf(under_runs, sizeof(under_runs), "runs/%s", word);
    const char *folder = file_is_dir(word) ? word : under_runs;
    if (length >= (int)sizeof(under_runs) || !file_is_dir(folder)) {
        return rl_fail(err, not_a_run.code, "%s", not_a_run.message);
    }
    enum rl_status status = add_folder(set, folder, SEARCH_DEPTH, err);
    add_failures(set, folder);
    if (status != RL_OK || set->n_runs > before) return status;
    return rl_fail(err, RL_EUSAGE, "%s is neither a run nor a folder of runs", word);
}

// --- groups ---

static bool decides_nothing(const struct config_entry *entry) {
    static const char *const keys[] = {"seed",    "name",       "run_dir",
                                       "threads", "time_limit", "clip_every"};
    if (*entry->section) return false;
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        if (!strcmp(entry->key, keys[i])) return true;
    }
    return false;
}

// Whether b has every option of a with the same value.
static bool covers(const struct config *a, const struct config *b) {
    for (size_t i = 0; i < a->count; i++) {
        const struct config_entry *entry = &a->entries[i];
        if (decides_nothing(entry)) continue;
        const char *mine = config_get(a, entry->section, entry->key); // the last one given
        const char *other = config_get(b, entry->section, entry->key);
        if (!other || strcmp(mine, other)) return false;
    }
    return true;
}

static int group_of(const struct run_set *set, const struct run_info *run) {
    for (int g = 0; g < set->n_groups; g++) {
        const struct config *first = &set->runs[set->groups[g].run[0]].config;
        if (covers(&run->config, first) && covers(first, &run->config)) return g;
    }
    return set->n_groups;
}

static void make_groups(struct run_set *set, bool each) {
    set->groups = MEM_ARRAY(struct run_group, set->n_runs);
    for (int i = 0; i < set->n_runs; i++) {
        struct run_info *run = &set->runs[i];
        run->group = each ? i : group_of(set, run);
        struct run_group *group = &set->groups[run->group];
        if (run->group == set->n_groups) {
            set->n_groups++;
            group->run = MEM_ARRAY(int, set->n_runs);
        }
        int at = group->n_runs++;
        for (; at > 0 && set->runs[group->run[at - 1]].seed > run->seed; at--) {
            group->run[at] = group->run[at - 1];
        }
        group->run[at] = i;
    }
}

// --- what sets groups apart ---

const char *run_set_option(const struct run_set *set, const struct run_group *group,
                           const struct option_name *name) {
    const char *value = config_get(&set->runs[group->run[0]].config, name->section, name->key);
    return value ? value : "";
}

static bool is_listed(const struct option_name *names, int count, const struct config_entry *e) {
    for (int i = 0; i < count; i++) {
        if (!strcmp(names[i].section, e->section) && !strcmp(names[i].key, e->key)) return true;
    }
    return false;
}

int run_set_differences(const struct run_set *set, struct option_name *out, int max) {
    int count = 0;
    for (int g = 0; g < set->n_groups; g++) {
        const struct config *config = &set->runs[set->groups[g].run[0]].config;
        for (size_t i = 0; i < config->count && count < max; i++) {
            const struct config_entry *entry = &config->entries[i];
            if (decides_nothing(entry) || is_listed(out, count, entry)) continue;
            struct option_name *name = &out[count];
            snprintf(name->section, sizeof(name->section), "%s", entry->section);
            snprintf(name->key, sizeof(name->key), "%s", entry->key);
            const char *value = run_set_option(set, &set->groups[0], name);
            bool same = true;
            for (int other = 1; other < set->n_groups && same; other++) {
                same = !strcmp(value, run_set_option(set, &set->groups[other], name));
            }
            count += !same;
        }
    }
    return count;
}

// A name without the seed and number at its end.
static void stem_of(const char *name, char *out, size_t size) {
    snprintf(out, size, "%s", name);
    char *seed = strstr(out, "_s");
    for (char *next = seed; next; next = strstr(next + 1, "_s")) seed = next; // the last
    if (seed && seed[2] && strspn(seed + 2, "0123456789-") == strlen(seed + 2)) *seed = 0;
}

// Values of the options that differ and that all groups have ("byol, tau 0.01"); the run's name
// where there are none, or too many to read.
static void label_groups(struct run_set *set, bool each) {
    enum { MAX_NAMES = 256, MAX_SHOWN = 3 };
    struct option_name *names = MEM_ARRAY(struct option_name, MAX_NAMES), shown[MAX_SHOWN];
    int count = run_set_differences(set, names, MAX_NAMES), n_shown = 0;
    for (int i = 0; i < count; i++) {
        bool everywhere = true;
        for (int g = 0; g < set->n_groups; g++) {
            everywhere = everywhere && *run_set_option(set, &set->groups[g], &names[i]);
        }
        if (everywhere && n_shown < MAX_SHOWN) shown[n_shown] = names[i];
        n_shown += everywhere;
    }
    for (int g = 0; g < set->n_groups; g++) {
        struct run_group *group = &set->groups[g];
        const char *name = set->runs[group->run[0]].name;
        size_t length = 0, size = sizeof(group->label);
        if (each) {
            snprintf(group->label, size, "%s", name);
        } else if (n_shown == 0 || n_shown > MAX_SHOWN) {
            stem_of(name, group->label, size);
        }
        for (int i = 0; i < n_shown && n_shown <= MAX_SHOWN && !each; i++) {
            bool plain = !*shown[i].section &&
                         (!strcmp(shown[i].key, "encoder") || !strcmp(shown[i].key, "agent") ||
                          !strcmp(shown[i].key, "env"));
            length += (size_t)snprintf(group->label + length, size - length, "%s%s%s%s",
                                       i ? ", " : "", plain ? "" : shown[i].key, plain ? "" : " ",
                                       run_set_option(set, group, &shown[i]));
            if (length >= size) break;
        }
    }
    mem_free(names);
}

enum rl_status run_set_read(struct run_set *set, const char *const *words, int n_words, bool each,
                            struct rl_error *err) {
    *set = (struct run_set){0};
    for (int i = 0; i < n_words; i++) {
        enum rl_status status = add_word(set, words[i], err);
        if (status != RL_OK) return status;
    }
    make_groups(set, each);
    label_groups(set, each);
    return RL_OK;
}

void run_set_release(struct run_set *set) {
    for (int i = 0; i < set->n_runs; i++) config_release(&set->runs[i].config);
    for (int g = 0; g < set->n_groups; g++) mem_free(set->groups[g].run);
    mem_free(set->runs);
    mem_free(set->groups);
    mem_free(set->failures);
    *set = (struct run_set){0};
}

// --- statistics ---

int run_set_counted(const struct run_set *set, const struct run_group *group, int *out) {
    int count = 0;
    for (int i = 0; i < group->n_runs; i++) {
        if (set->runs[group->run[i]].state == RUN_STATE_ENDED) out[count++] = group->run[i];
    }
    if (count) return count;
    memcpy(out, group->run, (size_t)group->n_runs * sizeof(*out));
    return group->n_runs;
}

struct estimate run_set_score(const struct run_set *set, const struct run_group *group,
                              enum statistic statistic) {
    int *runs = MEM_ARRAY(int, group->n_runs);
    int count = run_set_counted(set, group, runs);
    double *scores = MEM_ARRAY(double, count);
    for (int i = 0; i < count; i++) scores[i] = set->runs[runs[i]].score;
    struct estimate estimate =
        statistics_estimate(statistic, &(struct scores){scores, count, 1}, &bootstrap_default);
    mem_free(scores);
    mem_free(runs);
    return estimate;
}

// The series' value at x; NaN before its first and after its last row.
static double value_at(const struct metrics_series *series, double x) {
    int low = 0, high = series->count - 1;
    if (series->count == 0 || x < series->x[0] || x > series->x[high]) return NAN;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        *(series->x[middle] <= x ? &low : &high) = middle;
    }
    double span = series->x[high] - series->x[low];
    double share = span > 0 ? (x - series->x[low]) / span : 1;
    return series->y[low] + share * (series->y[high] - series->y[low]);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Every x of any series once, or CURVE_POINTS evenly spaced ones where there are more. Owned by the
// caller.
static double *grid_of(const struct metrics_series *series, int n_series, int *count) {
    int total = 0, kept = 0;
    for (int i = 0; i < n_series; i++) total += series[i].count;
    double *x = MEM_ARRAY(double, total + CURVE_POINTS);
    for (int i = 0, at = 0; i < n_series; at += series[i++].count) {
        if (series[i].count) memcpy(x + at, series[i].x, (size_t)series[i].count * sizeof(*x));
    }
    qsort(x, (size_t)total, sizeof(*x), by_size);
    for (int i = 0; i < total; i++) {
        if (kept == 0 || x[i] > x[kept - 1]) x[kept++] = x[i];
    }
    if (kept > CURVE_POINTS) {
        double first = x[0], last = x[kept - 1];
        for (int i = 0; i < CURVE_POINTS; i++) {
            x[i] = first + (last - first) * i / (CURVE_POINTS - 1);
        }
        kept = CURVE_POINTS;
    }
    *count = kept;
    return x;
}

static void fill_curve(const struct metrics_series *series, int n_series, enum statistic statistic,
                       struct curve *curve) {
    struct bootstrap bootstrap = bootstrap_default;
    bootstrap.resamples = 2000; // of each point: the picture shows no more
    double *values = MEM_ARRAY(double, n_series);
    int count;
    curve->x = grid_of(series, n_series, &count);
    curve->y = MEM_ARRAY(struct estimate, count);
    for (int i = 0; i < n_series; i++) curve->seeds += series[i].count > 0;
    for (int i = 0; i < count; i++) {
        int here = 0;
        for (int s = 0; s < n_series; s++) {
            values[s] = value_at(&series[s], curve->x[i]);
            here += !isnan(values[s]);
        }
        if (here == 0 || 2 * here < curve->seeds) continue;
        curve->x[curve->count] = curve->x[i];
        curve->y[curve->count++] =
            statistics_estimate(statistic, &(struct scores){values, n_series, 1}, &bootstrap);
    }
    mem_free(values);
}

enum rl_status run_set_curve(const struct run_set *set, const struct run_group *group,
                             const char *kind, const char *key, const char *x_key,
                             enum statistic statistic, struct curve *curve, struct rl_error *err) {
    int *runs = MEM_ARRAY(int, group->n_runs);
    int n = run_set_counted(set, group, runs), points = 0;
    struct metrics_series *series = MEM_ARRAY(struct metrics_series, n);
    const char *kinds[] = {*kind ? kind : "eval", *kind ? NULL : "train"};
    enum rl_status status = RL_OK;
    *curve = (struct curve){0};
    for (int k = 0; k < 2 && kinds[k] && points == 0 && status == RL_OK; k++) {
        for (int i = 0; i < n && status == RL_OK; i++) {
            char path[RUN_DIR_PATH_BYTES + 64];
            metrics_series_release(&series[i]);
            snprintf(path, sizeof(path), "%s/" LOGGER_METRICS_FILE, set->runs[runs[i]].path);
            if (!file_exists(path)) continue;
            status = metrics_file_series(path, kinds[k], key, x_key, &series[i], err);
            points += series[i].count;
        }
    }
    if (status == RL_OK && points) fill_curve(series, n, statistic, curve);
    for (int i = 0; i < n; i++) metrics_series_release(&series[i]);
    mem_free(series);
    mem_free(runs);
    return status;
}

void curve_release(struct curve *curve) {
    mem_free(curve->x);
    mem_free(curve->y);
    *curve = (struct curve){0};
}
