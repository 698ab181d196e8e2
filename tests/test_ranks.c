// Several ranks of one run: sums in rank order, equal weights everywhere, mpirun's processes and
// threads of one process with the same bits, resuming, refusal of another number of ranks.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/file.h"
#include "base/mem.h"
#include "support/program.h"
#include "train/shards.h"
#include "train/trainer.h"

#define RANKS 2
#define OPTIONS                                                                                    \
    "--env cartpole --env.image_size 36 --ddpg.random_steps 320 --ddpg.hidden 32 "                 \
    "--ddpg.batch 32 --loop.latent_dim 16 --loop.ssl_first 12 --loop.publish_min 40 "              \
    "--cnn.channels 8 --ssl.batch 16 --eval_every 1000000 --eval_episodes 1 "                      \
    "--checkpoint_every 200 --threads 1 --seed 5 "

static void must(enum rl_status status, const struct rl_error *err) {
    if (status != RL_OK) fail_msg("%s", err->message);
}

// --- the average ---

#define COUNT 7

struct averaging {
    struct comm *comm;
    real data[COUNT];
    double sum;
    int64_t least, most;
};

static void *average_thread(void *context) {
    struct averaging *a = context;
    comm_average(a->comm, COMM_POLICY, a->data, COUNT);
    comm_sum(a->comm, COMM_ENCODER, &a->sum, 1);
    a->least = comm_least(a->comm, COMM_POLICY, comm_rank(a->comm) + 5);
    a->most = comm_most(a->comm, COMM_POLICY, comm_rank(a->comm) + 5);
    return NULL;
}

static void test_average(void **state) {
    (void)state;
    enum { SIZE = 3 };
    struct comm *comms[SIZE];
    struct averaging parts[SIZE] = {0};
    pthread_t threads[SIZE];
    comm_create_local(SIZE, comms);
    for (int r = 0; r < SIZE; r++) {
        parts[r].comm = comms[r];
        parts[r].sum = r + 0.5;
        for (int i = 0; i < COUNT; i++) // an order of the sum other than 0, 1, 2 would show
            parts[r].data[i] = (real)(r == 0 ? 1e8 : r == 1 ? -1e8 : 1.0 + i);
    }
    for (int r = 0; r < SIZE; r++) pthread_create(&threads[r], NULL, average_thread, &parts[r]);
    for (int r = 0; r < SIZE; r++) pthread_join(threads[r], NULL);
    for (int r = 0; r < SIZE; r++) {
        for (int i = 0; i < COUNT; i++) {
            real wanted = ((real)1e8 + (real)-1e8 + (real)(1.0 + i)) * (1 / (real)SIZE);
            assert_memory_equal(&parts[r].data[i], &wanted, sizeof wanted);
        }
        assert_true(parts[r].sum == 4.5);
        assert_int_equal(parts[r].least, 5);
        assert_int_equal(parts[r].most, 7);
    }
    comm_destroy_local(SIZE, comms);
    real alone = 3;
    comm_average(NULL, COMM_POLICY, &alone, 1);
    assert_true(alone == 3 && comm_size(NULL) == 1);
}

// --- two trainers in one process ---

struct shard {
    struct comm *comm;
    const char *words, *path; // path: of the run's folder
    struct rl_error err;
    enum rl_status status;
    int64_t ssl_steps, publishes, entries;
};

static void read_words(struct config *config, const char *words) {
    char text[1024], *rest = NULL;
    snprintf(text, sizeof text, "%s", words);
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *value = strtok_r(NULL, " ", &rest), *key = word + 2, *dot = strchr(key, '.');
        if (dot) *dot = '\0';
        config_add(config, dot ? key : "", dot ? dot + 1 : key, value, "test", false);
    }
}

static enum rl_status train(struct shard *shard, struct trainer *trainer, struct run_dir *dir) {
    struct config config = {0};
    struct text yaml = {0};
    struct rl_error *err = &shard->err;
    read_words(&config, shard->words);
    trainer->comm = shard->comm;
    enum rl_status status = parts_read_options(&trainer->parts, "ddpg", &config, err);
    if (status == RL_OK) status = trainer_create(trainer, &config, err);
    if (status == RL_OK) parts_dump(&trainer->parts, &yaml);
    if (status == RL_OK)
        status = shards_create(shard->comm, dir, shard->path, "test", yaml.data, err);
    if (status == RL_OK) status = trainer_start(trainer, dir->path, err);
    if (status == RL_OK) status = trainer_run(trainer, NULL, NULL, err);
    text_release(&yaml);
    config_release(&config);
    return status;
}

static void *shard_thread(void *context) {
    struct shard *shard = context;
    struct trainer *trainer = MEM_NEW(struct trainer);
    struct run_dir dir = {.lock_fd = -1};
    shard->status = train(shard, trainer, &dir);
    shard->ssl_steps = trainer->count.ssl_steps;
    shard->publishes = trainer->count.publishes;
    shard->entries = replay_end(trainer->replay);
    trainer_release(trainer);
    mem_free(trainer);
    run_dir_close(&dir);
    return NULL;
}

static void run_in_process(const char *words, const char *path, struct shard shards[RANKS]) {
    struct comm *comms[RANKS];
    pthread_t threads[RANKS];
    comm_create_local(RANKS, comms);
    for (int r = 0; r < RANKS; r++) {
        shards[r] = (struct shard){.comm = comms[r], .words = words, .path = path};
        pthread_create(&threads[r], NULL, shard_thread, &shards[r]);
    }
    for (int r = 0; r < RANKS; r++) pthread_join(threads[r], NULL);
    comm_destroy_local(RANKS, comms);
    for (int r = 0; r < RANKS; r++) must(shards[r].status, &shards[r].err);
}

static void assert_same_file(const char *a, const char *b) {
    struct rl_error err = {0};
    struct bytes first, second;
    must(file_read(a, 1 << 26, &first, &err), &err);
    must(file_read(b, 1 << 26, &second, &err), &err);
    if (first.size != second.size || memcmp(first.data, second.data, first.size) != 0)
        fail_msg("%s and %s differ", a, b);
    mem_free(first.data);
    mem_free(second.data);
}

static bool has_mpi(void) {
#ifdef RLRUN_HAVE_MPI
    return system("command -v mpirun >/dev/null") == 0;
#else
    return false;
#endif
}

static int run_mpi(const char *words) {
    char command[2048];
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    // Open MPI leaks what its modules hold when it unloads them: not this program's.
    snprintf(command, sizeof command,
             "ASAN_OPTIONS=detect_leaks=0 mpirun --bind-to none --oversubscribe -n %d %s %s "
             "2>ranks_errors",
             RANKS, getenv("RLRUN_PROGRAM"), words);
    int status = system(command);
    return status < 0 ? status : status >> 8;
}

static void clean(void) {
    if (system("rm -rf ranks_local ranks_mpi ranks_cut") != 0) fail_msg("cannot clean up");
}

// Policy on latents of an encoder that learns beside it: every kind of exchange takes part.
#define LATENTS OPTIONS "--encoder byol "

static void test_same_bits(void **state) {
    (void)state;
    clean();
    struct shard shards[RANKS];
    run_in_process(LATENTS "--steps 450", "ranks_local", shards);
    assert_same_file("ranks_local/final.safetensors", "ranks_local/ranks/1/final.safetensors");
    assert_true(shards[0].ssl_steps > 10 && shards[0].publishes > 1);
    assert_int_equal(shards[0].publishes, shards[1].publishes);
    if (!has_mpi()) {
        print_message("mpirun is left out: not installed, or built without MPI\n");
        return;
    }
    assert_int_equal(run_mpi("ddpg " LATENTS "--steps 450 --run-dir ranks_mpi"), 0);
    assert_same_file("ranks_local/final.safetensors", "ranks_mpi/final.safetensors");
    // Cut into two sittings.
    assert_int_equal(run_mpi("ddpg " LATENTS "--steps 370 --run-dir ranks_cut"), 0);
    assert_int_equal(run_mpi("resume ranks_cut --steps 450"), 0);
    assert_same_file("ranks_local/final.safetensors", "ranks_cut/final.safetensors");
}

// Needs the folders of test_same_bits.
static void test_other_number(void **state) {
    (void)state;
    struct text errors = {0};
    assert_int_equal(program_run("resume ranks_local --steps 500", NULL, &errors), 2);
    assert_non_null(strstr(errors.data, "mpirun -n 2"));
    text_release(&errors);
    clean();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_average),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_other_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
