#include "train/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/config.h"
#include "base/file.h"
#include "base/json_line.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/event_file.h"

struct logger {
    char path[4096]; // of metrics.jsonl
    int fd;
    struct event_file events;
    int64_t rows; // position, beside events.records
    bool begun;
    struct text line;
};

struct logger *logger_create(const char *run_dir, struct rl_error *err) {
    struct logger *logger = MEM_NEW(struct logger);
    char events_path[4096];
    logger->events.fd = -1;
    file_join(logger->path, sizeof logger->path, run_dir, LOGGER_METRICS_FILE);
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

// Offset after the first `rows` whole rows, or after as many as there are; *found says how many.
static int64_t rows_end(int fd, int64_t rows, int64_t *found) {
    char chunk[65536];
    int64_t offset = 0, end = 0;
    *found = 0;
    while (*found < rows) {
        ssize_t n = pread(fd, chunk, sizeof chunk, offset);
        if (n <= 0) break;
        for (ssize_t i = 0; i < n && *found < rows; i++) {
            if (chunk[i] != '\n') continue;
            ++*found;
            end = offset + i + 1;
        }
        offset += n;
    }
    return end;
}

enum rl_status logger_begin(struct logger *logger, struct rl_error *err) {
    RL_ASSERT(!logger->begun);
    int64_t found, end = rows_end(logger->fd, logger->rows, &found);
    if (ftruncate(logger->fd, end) != 0 || lseek(logger->fd, end, SEEK_SET) < 0)
        return rl_fail(err, RL_EIO, "cannot cut %s: %s", logger->path, strerror(errno));
    if (found < logger->rows)
        log_warning(
            "%s has %lld rows where the checkpoint counts %lld; going on from what is there",
            logger->path, (long long)found, (long long)logger->rows);
    logger->rows = found;
    enum rl_status status = event_file_cut(&logger->events, err);
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

enum rl_status logger_sync(struct logger *logger, struct rl_error *err) {
    if (fsync(logger->fd) != 0 || fsync(logger->events.fd) != 0)
        return rl_fail(err, RL_EIO, "cannot sync %s: %s", logger->path, strerror(errno));
    return RL_OK;
}
