// Several ranks of one run: sums in rank order, equal weights everywhere, mpirun's processes and
// threads of one process with the same bits, resuming, refusal of more ranks, fewer when asked for;
// learning as one rank does from a batch of twice the size.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agents/agent.h"
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

// --- two ranks learn as one does from a batch of twice the size ---

enum { HALF = 16, WIDTH = 5, ACTIONS = 2, UPDATES = 30 };

struct transitions {
    real obs[2 * HALF * WIDTH], next_obs[2 * HALF * WIDTH], action[2 * HALF * ACTIONS];
    real reward[2 * HALF], discount[2 * HALF];
};

struct pupil {
    struct comm *comm;
    int first, n; // its part of each batch
    struct agent *agent;
    real *gradient; // (gradient_count) of the first update's critic, averaged; mem_free
    size_t gradient_count;
    struct rl_error err;
    enum rl_status status;
};

static void average_and_keep(void *context, real *grad, size_t count) {
    struct pupil *pupil = context;
    comm_average(pupil->comm, COMM_POLICY, grad, count);
    if (pupil->gradient) return;
    pupil->gradient = MEM_ARRAY(real, count);
    pupil->gradient_count = count;
    memcpy(pupil->gradient, grad, count * sizeof *grad);
}

static void fill(real *out, int count, struct rng *rng) {
    for (int i = 0; i < count; i++) out[i] = (real)rng_range(rng, -1, 1);
}

static void draw(struct transitions *t, struct rng *rng) {
    fill(t->obs, 2 * HALF * WIDTH, rng);
    fill(t->next_obs, 2 * HALF * WIDTH, rng);
    fill(t->action, 2 * HALF * ACTIONS, rng);
    for (int i = 0; i < 2 * HALF; i++) {
        t->reward[i] = t->obs[i * WIDTH] * t->action[i * ACTIONS];
        t->discount[i] = (real)0.9;
    }
}

static void *pupil_thread(void *context) {
    struct pupil *pupil = context;
    struct gradient_sync sync = {pupil, average_and_keep};
    struct transitions t;
    struct rng rng = rng_seed(8); // all draw the whole batch, and take their part
    pupil->agent->sync = &sync;
    for (int i = 0; i < UPDATES && pupil->status == RL_OK; i++) {
        draw(&t, &rng);
        struct metrics metrics = {0};
        struct batch batch = {.n = pupil->n,
                              .obs = t.obs + pupil->first * WIDTH,
                              .next_obs = t.next_obs + pupil->first * WIDTH,
                              .action = t.action + pupil->first * ACTIONS,
                              .reward = t.reward + pupil->first,
                              .discount = t.discount + pupil->first};
        pupil->status = agent_update(pupil->agent, &batch, i, &metrics, &pupil->err);
    }
    pupil->agent->sync = NULL;
    return NULL;
}

static struct pupil pupil_create(struct comm *comm, int first, int n) {
    struct config config = {0};
    struct rl_error err = {0};
    struct agent_spec spec = {.feature_dim = WIDTH, .action_dim = ACTIONS, .seed = 4};
    config_add(&config, "ddpg", "hidden", "24", "test", false);
    config_add(&config, "ddpg", "batch", "32", "test", false);
    config_add(&config, "ddpg", "target_noise", "0", "test", false); // each rank draws its own
    struct pupil pupil = {.comm = comm, .first = first, .n = n, .status = RL_OK};
    pupil.agent = agent_create("ddpg", &spec, &config, NULL, &err);
    if (!pupil.agent) fail_msg("%s", err.message);
    config_release(&config);
    return pupil;
}

static void pupil_destroy(struct pupil *pupil) {
    agent_destroy(pupil->agent);
    mem_free(pupil->gradient);
}

static double distance(const real *a, const real *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sqrt(sum);
}

static void test_twice_the_batch(void **state) {
    (void)state;
    struct comm *comms[RANKS];
    pthread_t threads[RANKS];
    struct pupil pupils[RANKS], alone = pupil_create(NULL, 0, 2 * HALF);
    struct pupil half = pupil_create(NULL, 0, HALF); // what a rank by itself would learn
    size_t count = alone.agent->params.count;
    real *start = MEM_ARRAY(real, count);
    memcpy(start, alone.agent->params.value, count * sizeof *start);
    comm_create_local(RANKS, comms);
    for (int r = 0; r < RANKS; r++) {
        pupils[r] = pupil_create(comms[r], r * HALF, HALF);
        pthread_create(&threads[r], NULL, pupil_thread, &pupils[r]);
    }
    for (int r = 0; r < RANKS; r++) pthread_join(threads[r], NULL);
    comm_destroy_local(RANKS, comms);
    pupil_thread(&alone);
    pupil_thread(&half);
    for (int r = 0; r < RANKS; r++) must(pupils[r].status, &pupils[r].err);
    const real *both = pupils[0].agent->params.value, *one = alone.agent->params.value;
    assert_memory_equal(both, pupils[1].agent->params.value, count * sizeof *both);
    // The same sums in another order.
    assert_int_equal(alone.gradient_count, pupils[0].gradient_count);
    double largest = 0, worst = 0;
    for (size_t i = 0; i < alone.gradient_count; i++) {
        largest = fmax(largest, fabs((double)alone.gradient[i]));
        worst = fmax(worst, fabs((double)alone.gradient[i] - pupils[0].gradient[i]));
    }
    // Adam enlarges rounding where a gradient is near zero.
    double moved = distance(start, one, count), apart = distance(both, one, count);
    double otherwise = distance(half.agent->params.value, one, count);
    print_message("gradients differ by %.1g of the largest; after %d updates weights moved %.3g, "
                  "are %.2g apart, with half the batch %.2g\n",
                  worst / largest, UPDATES, moved, apart, otherwise);
    assert_true(worst < 2e-6 * largest);
    assert_true(moved > 0.1 && apart < 1e-4 * moved && otherwise > 0.2 * moved);
    for (int r = 0; r < RANKS; r++) pupil_destroy(&pupils[r]);
    pupil_destroy(&alone);
    pupil_destroy(&half);
    mem_free(start);
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
    assert_non_null(strstr(errors.data, "--fewer_ranks"));
    text_release(&errors);
    assert_true(file_is_dir("ranks_local/ranks/1"));
    // The weights of both go on with the first one's replay; from then on it is a run of one rank.
    assert_int_equal(program_run("resume ranks_local --steps 500 --fewer_ranks", NULL, NULL), 0);
    assert_true(file_exists("ranks_local/ranks/1.aside/final.safetensors"));
    assert_false(file_is_dir("ranks_local/ranks/1"));
    assert_int_equal(program_run("resume ranks_local --steps 550", NULL, NULL), 0);
    if (has_mpi()) assert_int_equal(run_mpi("resume ranks_local --steps 600"), 2);
    clean();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_average),
        cmocka_unit_test(test_twice_the_batch),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_other_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
