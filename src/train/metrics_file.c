#include "train/metrics_file.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define FILE_LIMIT_BYTES (1u << 30)

static int64_t take_int(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : 0;
}

static bool is_position(const char *key) {
    return !strcmp(key, "frames") || !strcmp(key, "steps") || !strcmp(key, "updates") ||
           !strcmp(key, "wall_s");
}

static bool fill_row(json_t *object, struct metrics_row *row) {
    const char *kind = json_string_value(json_object_get(object, "kind"));
    if (!kind) return false;
    snprintf(row->kind, sizeof row->kind, "%s", kind);
    row->frames = take_int(object, "frames");
    row->steps = take_int(object, "steps");
    row->updates = take_int(object, "updates");
    row->wall_s = json_number_value(json_object_get(object, "wall_s"));
    metrics_clear(&row->values);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        bool fits = strlen(key) < METRICS_NAME_BYTES && row->values.count < METRICS_MAX;
        if (json_is_number(value) && !is_position(key) && fits)
            metrics_add(&row->values, key, json_number_value(value));
    }
    return true;
}

static enum rl_status read_line(const char *line, size_t size, const char *path, int number,
                                struct metrics_row *row, struct rl_error *err) {
    json_error_t problem;
    json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &problem);
    bool good = object && json_is_object(object) && fill_row(object, row);
    json_decref(object);
    if (good) return RL_OK;
    return rl_fail(err, RL_EFORMAT, "%s:%d: not a row of metrics: %s", path, number,
                   object ? "no kind" : problem.text);
}

enum rl_status metrics_file_read(const char *path, metrics_row_fn visit, void *context,
                                 struct rl_error *err) {
    struct bytes bytes;
    enum rl_status status = file_read(path, FILE_LIMIT_BYTES, &bytes, err);
    if (status != RL_OK) return status;
    struct metrics_row *row = MEM_NEW(struct metrics_row);
    const char *line = (const char *)bytes.data, *end = line + bytes.size, *stop;
    for (int number = 1; status == RL_OK && (stop = memchr(line, '\n', (size_t)(end - line)));
         number++) {
        status = read_line(line, (size_t)(stop - line), path, number, row, err);
        if (status == RL_OK) visit(context, row);
        line = stop + 1;
    }
    mem_free(row);
    mem_free(bytes.data);
    return status;
}

// --- curves ---

struct series_request {
    const char *kind, *key, *x_key;
    struct metrics_series *series;
};

static double position_of(const struct metrics_row *row, const char *x_key) {
    if (!strcmp(x_key, "frames")) return (double)row->frames;
    if (!strcmp(x_key, "steps")) return (double)row->steps;
    if (!strcmp(x_key, "updates")) return (double)row->updates;
    RL_ASSERT(!strcmp(x_key, "wall_s"));
    return row->wall_s;
}

static void add_point(void *context, const struct metrics_row *row) {
    const struct series_request *request = context;
    struct metrics_series *series = request->series;
    double y = metrics_get(&row->values, request->key);
    if (strcmp(row->kind, request->kind) || y != y) return;
    if (series->count == series->capacity) {
        size_t old = (size_t)series->capacity * sizeof(double), new = old ? 2 * old : 512;
        series->x = mem_grow(series->x, old, new);
        series->y = mem_grow(series->y, old, new);
        series->capacity = (int)(new / sizeof(double));
    }
    series->x[series->count] = position_of(row, request->x_key);
    series->y[series->count++] = y;
}

enum rl_status metrics_file_series(const char *path, const char *kind, const char *key,
                                   const char *x_key, struct metrics_series *series,
                                   struct rl_error *err) {
    *series = (struct metrics_series){0};
    struct series_request request = {kind, key, x_key, series};
    enum rl_status status = metrics_file_read(path, add_point, &request, err);
    if (status != RL_OK) metrics_series_release(series);
    return status;
}

void metrics_series_release(struct metrics_series *series) {
    mem_free(series->x);
    mem_free(series->y);
    *series = (struct metrics_series){0};
}
