// Rows and events of a run: what is written reads back, a resume cuts both files to the
// checkpoint's position, and a full disk is an error, not a crash. Progress lines.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/checkpoint.h"
#include "train/event_file.h"
#include "train/logger.h"
#include "train/progress.h"

static int set_up(void **state) {
    char *dir = mem_strdup("/tmp/rlrun_logger_XXXXXX");
    *state = dir;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    int result = system(command);
    mem_free(*state);
    return result;
}

static struct bytes read_file(const char *dir, const char *name) {
    char path[4096];
    struct bytes bytes;
    struct rl_error err = {0};
    file_join(path, sizeof path, dir, name);
    assert_int_equal(file_read(path, 1 << 20, &bytes, &err), RL_OK);
    return bytes;
}

static void write_rows(struct logger *logger, int first, int count) {
    struct rl_error err = {0};
    for (int i = first; i < first + count; i++) {
        struct metrics metrics;
        metrics_clear(&metrics);
        metrics_add(&metrics, "episode_return", i / 3.0);
        metrics_add(&metrics, "agent/critic_loss", 1e-7 * i);
        struct log_position position = {.frames = 2 * i, .steps = i, .updates = i, .wall_s = 1};
        assert_int_equal(logger_write(logger, "train", &position, &metrics, &err), RL_OK);
    }
}

static struct logger *begin(const char *dir) {
    struct rl_error err = {0};
    struct logger *logger = logger_create(dir, &err);
    assert_non_null(logger);
    assert_int_equal(logger_begin(logger, 0, &err), RL_OK);
    return logger;
}

static void rows_read_as_written(void **state) {
    struct logger *logger = begin(*state);
    struct rl_error err = {0};
    struct metrics metrics;
    metrics_clear(&metrics);
    metrics_add(&metrics, "return_mean", 1.0 / 3);
    metrics_add(&metrics, "bad", 0.0 / 0.0);
    struct log_position position = {.frames = 4000, .steps = 2000, .updates = 1999, .wall_s = 12.5};
    assert_int_equal(logger_write(logger, "eval", &position, &metrics, &err), RL_OK);
    logger_destroy(logger);
    struct bytes rows = read_file(*state, LOGGER_METRICS_FILE);
    assert_string_equal(
        (char *)rows.data,
        "{\"kind\": \"eval\", \"frames\": 4000, \"steps\": 2000, \"updates\": 1999, "
        "\"wall_s\": 12.5, \"return_mean\": 0.333333333, \"bad\": null}\n");
    mem_free(rows.data);
}

static void visit(void *object, struct state_visitor *visitor) {
    logger_visit(object, "logger", visitor);
}

// Wall times differ between the two runs; the rows here have a fixed one, and events are compared
// by their lengths and checksums' places only.
static void resume_cuts_to_the_checkpoint(void **state) {
    char straight[64], broken[64], checkpoints[80], path[CHECKPOINT_PATH_BYTES];
    struct rl_error err = {0};
    snprintf(straight, sizeof straight, "%s/a", (char *)*state);
    snprintf(broken, sizeof broken, "%s/b", (char *)*state);
    snprintf(checkpoints, sizeof checkpoints, "%s/c", (char *)*state);
    assert_int_equal(file_make_dirs(straight, &err), RL_OK);
    assert_int_equal(file_make_dirs(broken, &err), RL_OK);
    struct logger *logger = begin(straight);
    write_rows(logger, 0, 12);
    logger_destroy(logger);

    logger = begin(broken);
    write_rows(logger, 0, 5);
    assert_int_equal(logger_sync(logger, 5, &err), RL_OK);
    assert_int_equal(checkpoint_save(checkpoints, 5, visit, logger, 1, &err), RL_OK);
    write_rows(logger, 100, 4); // lost with the kill
    logger_destroy(logger);
    snprintf(path, sizeof path, "%s/" LOGGER_METRICS_FILE, broken);
    FILE *torn = fopen(path, "a");
    assert_non_null(torn);
    fputs("{\"kind\": \"tr", torn);
    fclose(torn);

    logger = logger_create(broken, &err);
    assert_non_null(logger);
    assert_int_equal(checkpoint_find_latest(checkpoints, path, &err), RL_OK);
    assert_int_equal(checkpoint_load(path, visit, logger, &err), RL_OK);
    assert_int_equal(logger_begin(logger, 5, &err), RL_OK);
    write_rows(logger, 5, 7);
    logger_destroy(logger);
    struct bytes a = read_file(straight, LOGGER_METRICS_FILE);
    struct bytes b = read_file(broken, LOGGER_METRICS_FILE);
    assert_string_equal((char *)a.data, (char *)b.data);
    mem_free(a.data);
    mem_free(b.data);
    a = read_file(straight, LOGGER_EVENTS_FILE);
    b = read_file(broken, LOGGER_EVENTS_FILE);
    assert_int_equal(a.size, b.size);
    mem_free(a.data);
    mem_free(b.data);
}

// --- what a resume says of a log that is not as it was left ---

static void note_warning(enum log_level level, const char *line, void *context) {
    if (level == LOG_LEVEL_WARNING) text_add(context, "%s\n", line);
}

// Goes on from the checkpoint of 10 rows, as that of this step; what it warned of.
static char *resume_warnings(const char *dir, const char *checkpoint, int64_t step) {
    struct text warnings = {0};
    struct rl_error err = {0};
    struct logger *logger = logger_create(dir, &err);
    assert_non_null(logger);
    assert_int_equal(checkpoint_load(checkpoint, visit, logger, &err), RL_OK);
    log_set_handler(note_warning, &warnings);
    assert_int_equal(logger_begin(logger, step, &err), RL_OK);
    log_set_handler(NULL, NULL);
    logger_destroy(logger);
    return warnings.data ? warnings.data : mem_strdup("");
}

static void write_file(const char *dir, const char *name, const void *data, size_t size) {
    char path[4096];
    struct rl_error err = {0};
    file_join(path, sizeof path, dir, name);
    assert_int_equal(file_write_atomic(path, data, size, &err), RL_OK);
}

static void resume_says_what_changed(void **state) {
    const char *dir = *state;
    char folder[64], path[CHECKPOINT_PATH_BYTES];
    struct rl_error err = {0};
    struct logger *logger = begin(dir);
    snprintf(folder, sizeof folder, "%s/c", dir);
    write_rows(logger, 0, 10);
    assert_int_equal(logger_sync(logger, 10, &err), RL_OK);
    assert_int_equal(checkpoint_save(folder, 10, visit, logger, 2, &err), RL_OK);
    assert_int_equal(checkpoint_find_latest(folder, path, &err), RL_OK);
    write_rows(logger, 10, 3);
    logger_destroy(logger);
    struct bytes rows = read_file(dir, LOGGER_METRICS_FILE), sum = read_file(dir, LOGGER_SUM_FILE);
    char *damaged = mem_alloc(rows.size + 1), *digit;

    struct {
        int64_t step;     // of the checkpoint that is left
        const char *from; // the text changed
        const char *to;   // its first letter
        size_t size;      // of the file that is left
        const char *said;
    } cases[] = {
        {10, "", "", rows.size, ""}, // rows after the checkpoint are cut in silence
        {5, "", "", rows.size, "going on from step 5; the log knows of step 10"},
        {10, "1.33333333", "7", rows.size, "has changed since it was written (10 of 10 rows"},
        {10, "\"steps\": 4", "x", rows.size, "metrics.jsonl:5: not a row of metrics"},
        {10, "", "", rows.size / 2, "of 10 rows are there)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(damaged, rows.data, rows.size + 1);
        digit = strstr(damaged, cases[i].from);
        assert_non_null(digit);
        if (*cases[i].to) *digit = *cases[i].to;
        for (int again = 0; again < 2; again++) { // said once
            if (!again) write_file(dir, LOGGER_METRICS_FILE, damaged, cases[i].size);
            if (!again) write_file(dir, LOGGER_SUM_FILE, sum.data, sum.size);
            char *warnings = resume_warnings(dir, path, cases[i].step);
            const char *said = again ? "" : cases[i].said;
            if (!strstr(warnings, said) || (!*said && *warnings))
                fail_msg("case %zu, resume %d warns '%s', not '%s'", i, again, warnings, said);
            mem_free(warnings);
        }
    }
    write_file(dir, LOGGER_SUM_FILE, "{", 1);
    char *warnings = resume_warnings(dir, path, 10);
    assert_non_null(strstr(warnings, "metrics.sum is damaged"));
    mem_free(warnings);
    mem_free(damaged);
    mem_free(rows.data);
    mem_free(sum.data);
}

static void full_disk_is_an_error(void **state) {
    struct logger *logger = begin(*state);
    struct log_position position = {0};
    struct metrics metrics;
    metrics_clear(&metrics);
    for (uint64_t n = 1; n <= 2; n++) { // the row, then the event
        struct rl_error err = {0};
        file_fail_at(n, ENOSPC);
        assert_int_equal(logger_write(logger, "train", &position, &metrics, &err), RL_EIO);
        file_fail_at(0, 0);
        assert_non_null(strstr(err.message, "No space left"));
    }
    logger_destroy(logger);
    struct rl_error err = {0};
    assert_null(logger_create("/proc/nowhere", &err));
    assert_int_equal(err.code, RL_EIO);
}

static void checksum_is_castagnoli(void **state) {
    (void)state;
    assert_int_equal(event_file_crc32c("123456789", 9), 0xe3069283); // RFC 3720's check value
}

static const char reader[] =
    "import sys, importlib.util as u\n"
    "if not u.find_spec('tensorboard'): sys.exit(77)\n"
    "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
    "a = EventAccumulator(sys.argv[1]); a.Reload()\n"
    "loss = a.Scalars('agent/critic_loss'); ret = a.Scalars('train/episode_return')\n"
    "assert [e.step for e in ret] == [2 * i for i in range(6)], ret\n"
    "assert abs(ret[4].value - 4 / 3) < 1e-6 and abs(loss[3].value - 3e-7) < 1e-12\n"
    "text = a.Tensors('config/text_summary')[0].tensor_proto.string_val[0]\n"
    "assert text == b'seed: 1', text\n"
    "image = a.Images('eval/frame')[0]\n"
    "assert (image.width, image.height) == (1, 2), image\n";

// A stock TensorBoard reads what was written; without its package the test is skipped.
static void tensorboard_reads_events(void **state) {
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13,
                                  'I',  'H', 'D', 'R', 0,  0,  0,  1,  0, 0, 0, 2,
                                  8,    2,   0,   0,   0,  0,  0,  0,  0, 0, 0};
    struct rl_error err = {0};
    struct logger *logger = begin(*state);
    assert_int_equal(logger_text(logger, "config/text_summary", "seed: 1", &err), RL_OK);
    write_rows(logger, 0, 6);
    assert_int_equal(logger_image(logger, "eval/frame", 12, png, sizeof png, &err), RL_OK);
    logger_destroy(logger);
    char script[128], command[512];
    snprintf(script, sizeof script, "%s/read.py", (char *)*state);
    assert_int_equal(file_write_atomic(script, reader, strlen(reader), &err), RL_OK);
    snprintf(command, sizeof command, "python3 %s %s >%s.log 2>&1", script, (char *)*state, script);
    int code = system(command);
    if (WIFEXITED(code) && (WEXITSTATUS(code) == 77 || WEXITSTATUS(code) == 127)) skip();
    if (code) {
        snprintf(command, sizeof command, "cat %s.log", script);
        assert_int_equal(system(command), 0);
    }
    assert_int_equal(code, 0);
}

static void progress_lines(void **state) {
    (void)state;
    char *data = NULL, left[16];
    size_t size = 0;
    FILE *out = open_memstream(&data, &size);
    struct metrics metrics;
    metrics_clear(&metrics);
    metrics_add(&metrics, "return", 41.25);
    struct progress_state now = {.total_steps = 1000, .metrics = &metrics};
    struct progress progress;
    progress_start(&progress, out, &now);
    now.steps = 250;
    now.frames = 500;
    progress_update(&progress, &now);
    fflush(out);
    assert_int_equal(size, 0); // not yet time
    progress.last_shown_s -= 60;
    progress.last_rate_s -= 10;
    progress_update(&progress, &now);
    progress_stop(&progress);
    fclose(out);
    assert_non_null(strstr(data, " 25%  500 frames  250 steps  return 41.2"));
    assert_non_null(strstr(data, "50 frames/s"));
    assert_non_null(strstr(data, "ETA 30s\n"));
    free(data);
    progress_format_time(left, sizeof left, 3725);
    assert_string_equal(left, "1h02m");
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(rows_read_as_written),     CASE(resume_cuts_to_the_checkpoint),
        CASE(resume_says_what_changed), CASE(full_disk_is_an_error),
        CASE(checksum_is_castagnoli),   CASE(tensorboard_reads_events),
        CASE(progress_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
