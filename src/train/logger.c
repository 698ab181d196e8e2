#include "train/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/config.h"
#include "base/file.h"
#include "base/json_line.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/event_file.h"
#include "train/metrics_file.h"

#define FILE_LIMIT_BYTES ((size_t)1 << 30)

struct logger {
    char path[4096], sum_path[4096]; // of metrics.jsonl, metrics.sum
    int fd;
    struct event_file events;
    int64_t rows; // position, beside events.records
    uint64_t sum; // of the rows so far
    bool begun;
    struct text line;
};

struct logger *logger_create(const char *run_dir, struct rl_error *err) {
    struct logger *logger = MEM_NEW(struct logger);
    char events_path[4096];
    logger->events.fd = -1;
    file_join(logger->path, sizeof logger->path, run_dir, LOGGER_METRICS_FILE);
    file_join(logger->sum_path, sizeof logger->sum_path, run_dir, LOGGER_SUM_FILE);
    file_join(events_path, sizeof events_path, run_dir, LOGGER_EVENTS_FILE);
    logger->fd = open(logger->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (logger->fd < 0) {
        rl_fail(err, RL_EIO, "cannot write %s: %s", logger->path, strerror(errno));
    } else if (event_file_open(&logger->events, events_path, err) == RL_OK) {
        return logger;
    }
    logger_destroy(logger);
    return NULL;
}

void logger_destroy(struct logger *logger) {
    if (!logger) return;
    if (logger->fd >= 0) close(logger->fd);
    event_file_close(&logger->events);
    text_release(&logger->line);
    mem_free(logger);
}

void logger_visit(struct logger *logger, const char *prefix, struct state_visitor *visitor) {
    size_t mark = state_enter(visitor, prefix);
    state_field(visitor, logger, rows);
    state_bytes(visitor, "records", &logger->events.records, sizeof logger->events.records);
    state_leave(visitor, mark);
}

// --- metrics.sum: what was in metrics.jsonl at the newest checkpoint ---

struct log_sum {
    int64_t steps, rows;
    uint64_t sum;
};

// Each row's hash starts from that of the rows before it.
static uint64_t add_to_sum(uint64_t sum, const char *row, size_t length) {
    return XXH3_64bits_withSeed(row, length, sum);
}

// The first `rows` whole rows, or as many as there are (returned): their sum, and where they end.
static int64_t take_rows(const struct bytes *file, int64_t rows, uint64_t *sum, int64_t *end) {
    const char *begin = (const char *)file->data, *row = begin, *stop = begin + file->size, *next;
    int64_t found = 0;
    *sum = 0;
    while (found < rows && (next = memchr(row, '\n', (size_t)(stop - row)))) {
        *sum = add_to_sum(*sum, row, (size_t)(++next - row));
        row = next;
        found++;
    }
    *end = row - begin;
    return found;
}

static bool read_sum(const struct logger *logger, struct log_sum *known) {
    struct bytes bytes;
    if (!file_exists(logger->sum_path)) return false; // none written yet
    bool good = file_read(logger->sum_path, 4096, &bytes, NULL) == RL_OK;
    if (good) {
        json_int_t steps, rows;
        const char *sum;
        json_t *object = json_loadb((const char *)bytes.data, bytes.size, 0, NULL);
        good = json_unpack(object, "{sI sI ss}", "steps", &steps, "rows", &rows, "xxh3", &sum) == 0;
        if (good) *known = (struct log_sum){steps, rows, strtoull(sum, NULL, 16)};
        json_decref(object);
        mem_free(bytes.data);
    }
    if (!good) log_warning("%s is damaged: the rows of this run go unchecked", logger->sum_path);
    return good;
}

static enum rl_status write_sum(struct logger *logger, int64_t steps, struct rl_error *err) {
    struct text *line = &logger->line;
    char sum[17];
    snprintf(sum, sizeof sum, "%016" PRIx64, logger->sum);
    line->length = 0;
    json_line_begin(line);
    json_line_int(line, "steps", steps);
    json_line_int(line, "rows", logger->rows);
    json_line_string(line, "xxh3", sum);
    json_line_end(line);
    return file_write_atomic(logger->sum_path, line->data, line->length, err);
}

static void skip_row(void *context, const struct metrics_row *row) {
    (void)context;
    (void)row;
}

// Says what the log knows better than the checkpoint and the rows that are there.
static void check_log(const struct logger *logger, const struct bytes *file, int64_t steps,
                      const struct log_sum *known) {
    uint64_t sum;
    int64_t end, found = take_rows(file, known->rows, &sum, &end);
    if (known->steps > steps)
        log_warning("going on from step %" PRId64 "; the log knows of step %" PRId64
                    ", whose checkpoint is missing, damaged or was "
                    "never finished",
                    steps, known->steps);
    if (found == known->rows && sum == known->sum) return;
    struct rl_error where = {0};
    bool readable = metrics_file_read(logger->path, skip_row, NULL, &where) == RL_OK;
    log_warning("%s has changed since it was written (%" PRId64 " of %" PRId64
                " rows are there)%s%s; going on from what is there",
                logger->path, found, known->rows, readable ? "" : ": ",
                readable ? "" : where.message);
}

enum rl_status logger_begin(struct logger *logger, int64_t steps, struct rl_error *err) {
    RL_ASSERT(!logger->begun);
    struct bytes file;
    struct log_sum known;
    enum rl_status status = file_read(logger->path, FILE_LIMIT_BYTES, &file, err);
    if (status != RL_OK) return status;
    int64_t end, found = take_rows(&file, logger->rows, &logger->sum, &end);
    bool summed = read_sum(logger, &known);
    if (summed) {
        check_log(logger, &file, steps, &known);
    } else if (found < logger->rows) {
        log_warning("%s has %" PRId64 " rows where the checkpoint counts %" PRId64
                    "; going on from what is there",
                    logger->path, found, logger->rows);
    }
    mem_free(file.data);
    logger->rows = found;
    // The sum first: killed in between, the file has more rows than it speaks of, not fewer.
    if (summed) status = write_sum(logger, steps, err);
    if (status != RL_OK) return status;
    if (ftruncate(logger->fd, end) != 0 || lseek(logger->fd, end, SEEK_SET) < 0)
        return rl_fail(err, RL_EIO, "cannot cut %s: %s", logger->path, strerror(errno));
    status = event_file_cut(&logger->events, err);
    logger->begun = status == RL_OK;
    return status;
}

static double wall_time_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void format_row(struct text *line, const char *kind, const struct log_position *position,
                       const struct metrics *metrics) {
    line->length = 0;
    json_line_begin(line);
    json_line_string(line, "kind", kind);
    json_line_int(line, "frames", position->frames);
    json_line_int(line, "steps", position->steps);
    json_line_int(line, "updates", position->updates);
    json_line_real(line, "wall_s", position->wall_s);
    for (int i = 0; i < metrics->count; i++) {
        json_line_real(line, metrics->name[i], metrics_mean(metrics, i));
    }
    json_line_end(line);
}

enum rl_status logger_write(struct logger *logger, const char *kind,
                            const struct log_position *position, const struct metrics *metrics,
                            struct rl_error *err) {
    RL_ASSERT(logger->begun);
    format_row(&logger->line, kind, position, metrics);
    enum rl_status status =
        file_write_fd(logger->fd, logger->path, logger->line.data, logger->line.length, err);
    if (status != RL_OK) return status;
    logger->rows++;
    logger->sum = add_to_sum(logger->sum, logger->line.data, logger->line.length);
    return event_file_scalars(&logger->events, wall_time_s(), position->frames, kind, metrics, err);
}

enum rl_status logger_text(struct logger *logger, const char *tag, const char *text,
                           struct rl_error *err) {
    RL_ASSERT(logger->begun);
    return event_file_text(&logger->events, wall_time_s(), 0, tag, text, err);
}

enum rl_status logger_image(struct logger *logger, const char *tag, int64_t frames,
                            const uint8_t *file, size_t size, struct rl_error *err) {
    RL_ASSERT(logger->begun);
    return event_file_image(&logger->events, wall_time_s(), frames, tag, file, size, err);
}

enum rl_status logger_hparams(struct logger *logger, const char *run_name, const char *yaml,
                              struct rl_error *err) {
    struct config config = {0};
    RL_ASSERT(logger->begun);
    enum rl_status status = config_add_yaml_text(&config, yaml, strlen(yaml), "configuration", err);
    struct event_hparam *values = MEM_ARRAY(struct event_hparam, config.count + 1);
    struct text names = {0};
    for (size_t i = 0; i < config.count; i++) { // names first: the text moves as it grows
        const struct config_entry *entry = &config.entries[i];
        text_add(&names, "%s%s%s", entry->section, *entry->section ? "." : "", entry->key);
        text_add_bytes(&names, "", 1);
    }
    const char *name = names.data;
    for (size_t i = 0; i < config.count; i++, name += strlen(name) + 1) {
        const char *value = config.entries[i].value;
        char *end;
        double number = strtod(value, &end);
        bool is_number = *value && !*end;
        values[i] = (struct event_hparam){name, is_number ? NULL : value, is_number ? number : 0};
    }
    if (status == RL_OK) {
        status =
            event_file_hparams(&logger->events, wall_time_s(), run_name, values, config.count, err);
    }
    text_release(&names);
    mem_free(values);
    config_release(&config);
    return status;
}

enum rl_status logger_sync(struct logger *logger, int64_t steps, struct rl_error *err) {
    if (fsync(logger->fd) != 0 || fsync(logger->events.fd) != 0)
        return rl_fail(err, RL_EIO, "cannot sync %s: %s", logger->path, strerror(errno));
    return write_sum(logger, steps, err);
}
