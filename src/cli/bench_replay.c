// Replay: batches of 256 transitions, three-step, from a ring of cheetah's frames. A pixel batch
// is what DrQ-v2 asks for: the stack now and the stack to bootstrap from, of each transition.
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/bench.h"
#include "envs/env.h"
#include "replay/replay_store.h"

enum { BATCH = 256, LATENT = 50, RECORDED = 1000, ENTRIES = 40000, CHECKPOINT = 10000 };
enum { MILLION = 1000000, RUN_CHECKPOINT = 5000 }; // entries between the checkpoints of a run

// Figures of single-threaded peers for a batch of 256: a ring of single frames in C++ (latents
// have no peer) and DrQ-v2's episode buffer, as measured on a machine like this one.
#define RING_BATCHES 264
#define RING_BYTES   21200

struct recording {
    struct env *env;
    int count, capacity;
    size_t frame_bytes;
    uint8_t *frames;
    double *obs, *rewards;
    real *actions;
    bool *first, *last;
};

struct replay_bench {
    struct recording recording;
    struct replay *replay;
    struct rng rng;
    int64_t entries[BATCH], next[BATCH];
    float *latents, *next_latents, *actions, *rewards, *discounts;
    uint8_t *stacks, *next_stacks;
};

static enum rl_status record(struct recording *r, struct rl_error *err) {
    struct env_options options;
    opt_set_defaults(&env_opts, &options);
    options.pixels = true;
    r->env = env_create("cheetah-run", &options, 1, err);
    if (!r->env) return err->code;
    const struct env_spec *spec = env_spec(r->env);
    size_t obs_dim = (size_t)spec->obs_dim, action_dim = (size_t)spec->action_dim;
    r->frame_bytes = (size_t)spec->frame_dim[0] * (size_t)spec->frame_dim[1] * 3;
    r->frames = mem_alloc(RECORDED * r->frame_bytes);
    r->obs = MEM_ARRAY(double, RECORDED *obs_dim);
    r->rewards = MEM_ARRAY(double, RECORDED);
    r->actions = MEM_ARRAY(real, RECORDED * action_dim);
    r->first = MEM_ARRAY(bool, RECORDED);
    r->last = MEM_ARRAY(bool, RECORDED);
    struct rng rng = rng_seed(2);
    struct time_step step = {.last = true};
    for (int i = 0; i < RECORDED; i++) {
        double action[64];
        real *kept = r->actions + (size_t)i * action_dim;
        for (size_t k = 0; k < action_dim; k++) {
            action[k] = rng_range(&rng, -1, 1);
            kept[k] = (real)action[k];
        }
        enum rl_status status =
            step.last ? env_reset(r->env, &step, err) : env_step(r->env, action, &step, err);
        if (status != RL_OK) return status;
        memcpy(r->frames + (size_t)i * r->frame_bytes, step.frame, r->frame_bytes);
        memcpy(r->obs + (size_t)i * obs_dim, step.obs, obs_dim * sizeof(double));
        r->rewards[i] = step.reward;
        r->first[i] = step.first;
        r->last[i] = step.last;
    }
    return RL_OK;
}

static void release(struct replay_bench *bench) {
    struct recording *r = &bench->recording;
    env_destroy(r->env);
    void *all[] = {r->frames,         r->obs,         r->rewards,       r->actions,
                   r->first,          r->last,        bench->latents,   bench->next_latents,
                   bench->actions,    bench->rewards, bench->discounts, bench->stacks,
                   bench->next_stacks};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) mem_free(all[i]);
}

static struct replay *make_replay(const struct recording *r, int64_t capacity, bool compress,
                                  struct rl_error *err) {
    const struct env_spec *spec = env_spec(r->env);
    struct replay_spec replay = {.capacity = capacity,
                                 .frame_dim = {spec->frame_dim[0], spec->frame_dim[1], 3},
                                 .frame_stack = 3,
                                 .obs_dim = spec->obs_dim,
                                 .action_dim = spec->action_dim,
                                 .latent_dim = LATENT,
                                 .compress = compress};
    return replay_create(&replay, err);
}

// Appends `count` entries, the recording over and over.
static void fill(const struct recording *r, struct replay *replay, int count) {
    size_t obs_dim = (size_t)replay_spec(replay)->obs_dim;
    size_t action_dim = (size_t)replay_spec(replay)->action_dim;
    for (int n = 0; n < count; n++) {
        size_t i = (size_t)(replay_end(replay) % RECORDED);
        struct replay_entry entry = {.frame = r->frames + i * r->frame_bytes,
                                     .obs = r->obs + i * obs_dim,
                                     .reward = r->rewards[i],
                                     .discount = 1,
                                     .first = r->first[i] || i == 0,
                                     .last = r->last[i]};
        replay_append(replay, &entry);
        if (!entry.last) replay_set_action(replay, r->actions + i * action_dim);
        float *latent = replay_latent(replay, replay_end(replay) - 1);
        for (int k = 0; k < LATENT; k++) latent[k] = (float)(i + (size_t)k);
    }
}

static void sample_transitions(struct replay_bench *bench) {
    struct replay_window window = replay_window(bench->replay);
    size_t dim = (size_t)replay_spec(bench->replay)->action_dim;
    for (int b = 0; b < BATCH; b++) {
        int64_t entry = replay_sample(bench->replay, window, &bench->rng);
        struct replay_return back = replay_n_step(bench->replay, window, entry, 3, 0.99);
        bench->entries[b] = entry;
        bench->next[b] = back.next;
        bench->rewards[b] = (float)back.reward;
        bench->discounts[b] = (float)back.discount;
        memcpy(bench->actions + (size_t)b * dim, replay_action(bench->replay, entry),
               dim * sizeof(float));
    }
}

static void latent_batch(void *context) {
    struct replay_bench *bench = context;
    sample_transitions(bench);
    for (int b = 0; b < BATCH; b++) {
        memcpy(bench->latents + b * LATENT, replay_latent(bench->replay, bench->entries[b]),
               LATENT * sizeof(float));
        memcpy(bench->next_latents + b * LATENT, replay_latent(bench->replay, bench->next[b]),
               LATENT * sizeof(float));
    }
}

static void stack_batch(void *context) {
    struct replay_bench *bench = context;
    sample_transitions(bench);
    replay_stacks(bench->replay, bench->entries, BATCH, bench->stacks);
    replay_stacks(bench->replay, bench->next, BATCH, bench->next_stacks);
}

static void bench_batches(const struct bench_options *options, struct replay_bench *bench,
                          const char *name, void (*batch)(void *), double peer) {
    if (!bench_wanted(options, name)) return;
    double each_s = bench_cpu_seconds(options, batch, bench);
    bench_report(options, &(struct bench_row){.case_name = name,
                                              .value = 1 / each_s,
                                              .unit = "batches/s",
                                              .peer = peer > 0 ? "frame ring" : NULL,
                                              .peer_value = peer});
}

static double resident_bytes(void) {
    long pages = 0, ignored;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    if (fscanf(file, "%ld %ld", &ignored, &pages) != 2) pages = 0;
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

// Memory that an entry takes, from what the process holds more after filling the ring.
static enum rl_status make_full(const struct bench_options *options, struct replay_bench *bench,
                                bool compress, struct rl_error *err) {
    const char *name = compress ? "bytes-per-transition-compressed" : "bytes-per-transition";
    double before = resident_bytes();
    bench->replay = make_replay(&bench->recording, ENTRIES, compress, err);
    if (!bench->replay) return err->code;
    fill(&bench->recording, bench->replay, ENTRIES);
    double each = (resident_bytes() - before) / ENTRIES;
    if (bench_wanted(options, name)) {
        bench_report(options, &(struct bench_row){.case_name = name,
                                                  .value = each,
                                                  .unit = "bytes",
                                                  .peer = "frame ring",
                                                  .peer_value = RING_BYTES,
                                                  .lower_is_better = true});
    }
    return RL_OK;
}

static int remove_item(const char *path, const struct stat *info, int kind, struct FTW *place) {
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

struct store_times {
    double save_s, load_s, load_cpu_s; // the last of all threads together
};

// Seconds of a checkpoint with `more` entries since the one before, and of resuming from it into a
// new replay. The first one is released before.
static enum rl_status time_store(const struct bench_options *options, struct replay_bench *bench,
                                 const char *dir, int more, struct store_times *times,
                                 struct rl_error *err) {
    struct replay_spec spec = *replay_spec(bench->replay);
    struct replay_store *store = replay_store_create(dir), *again = replay_store_create(dir);
    struct replay_store_state state;
    struct pool *pool = pool_create((int)options->threads, err);
    enum rl_status status = pool ? RL_OK : err->code;
    if (status == RL_OK) status = replay_store_save(store, bench->replay, &state, err);
    fill(&bench->recording, bench->replay, more);
    double start_s = clock_now_s();
    if (status == RL_OK) status = replay_store_save(store, bench->replay, &state, err);
    times->save_s = clock_now_s() - start_s;
    replay_destroy(bench->replay);
    bench->replay = make_replay(&bench->recording, spec.capacity, spec.compress, err);
    start_s = clock_now_s();
    double start_cpu_s = clock_process_cpu_s();
    if (status == RL_OK && !bench->replay) status = err->code;
    if (status == RL_OK) status = replay_store_load(again, &state, bench->replay, pool, err);
    times->load_s = clock_now_s() - start_s;
    times->load_cpu_s = clock_process_cpu_s() - start_cpu_s;
    replay_store_destroy(store);
    replay_store_destroy(again);
    pool_destroy(pool);
    return status;
}

// In a folder of its own under $TMPDIR or /tmp.
static enum rl_status bench_store(const struct bench_options *options, struct replay_bench *bench,
                                  const char *save, const char *load, int more, double load_scale,
                                  struct rl_error *err) {
    char dir[1024];
    const char *base = getenv("TMPDIR");
    if (!bench_wanted(options, save) && !bench_wanted(options, load)) return RL_OK;
    snprintf(dir, sizeof(dir), "%s/rlrun_bench_XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(dir)) return rl_fail(err, RL_EIO, "cannot make the folder %s", dir);
    struct store_times times = {0};
    enum rl_status status = time_store(options, bench, dir, more, &times, err);
    nftw(dir, remove_item, 8, FTW_DEPTH | FTW_PHYS);
    if (status != RL_OK) return status;
    char load_cpu[64];
    snprintf(load_cpu, sizeof(load_cpu), "%s-cpu", load);
    const struct bench_row rows[] = {
        {save, times.save_s, "s", .lower_is_better = true},
        {load, times.load_s * load_scale, "s", .lower_is_better = true},
        {load_cpu, times.load_cpu_s * load_scale, "s", .lower_is_better = true},
    };
    for (int i = 0; i < 3; i++) bench_report(options, &rows[i]);
    return RL_OK;
}

// The checkpoint of a whole long run, compressed: gigabytes of memory and disk, so only on demand.
static enum rl_status bench_million(const struct bench_options *options, struct replay_bench *bench,
                                    struct rl_error *err) {
    const char *const names[] = {"million-pause", "million-resume"};
    bool wanted = bench_wanted(options, names[0]) || bench_wanted(options, names[1]);
    if (!options->filter[0] || !wanted) return RL_OK;
    bench->replay = make_replay(&bench->recording, MILLION, true, err);
    if (!bench->replay) return err->code;
    fill(&bench->recording, bench->replay, MILLION);
    enum rl_status status = bench_store(options, bench, names[0], names[1], RUN_CHECKPOINT, 1, err);
    replay_destroy(bench->replay);
    return status;
}

static enum rl_status bench_ring(const struct bench_options *options, struct replay_bench *bench,
                                 bool compress, struct rl_error *err) {
    enum rl_status status = make_full(options, bench, compress, err);
    if (status != RL_OK) return status;
    if (!compress) bench_batches(options, bench, "latent-256", latent_batch, 0);
    bench_batches(options, bench, compress ? "stack-256-compressed" : "stack-256", stack_batch,
                  RING_BATCHES);
    status =
        bench_store(options, bench, compress ? "save-10k-entries-compressed" : "save-10k-entries",
                    compress ? "load-1M-entries-compressed" : "load-1M-entries", CHECKPOINT,
                    1e6 / ENTRIES, err);
    replay_destroy(bench->replay);
    return status;
}

enum rl_status bench_replay(const struct bench_options *options, struct rl_error *err) {
    struct replay_bench bench = {.rng = rng_seed(3)};
    enum rl_status status = record(&bench.recording, err);
    if (status == RL_OK) {
        size_t stack_bytes = 3 * bench.recording.frame_bytes;
        size_t action_dim = (size_t)env_spec(bench.recording.env)->action_dim;
        bench.latents = MEM_ARRAY(float, BATCH *LATENT);
        bench.next_latents = MEM_ARRAY(float, BATCH *LATENT);
        bench.actions = MEM_ARRAY(float, BATCH *action_dim);
        bench.rewards = MEM_ARRAY(float, BATCH);
        bench.discounts = MEM_ARRAY(float, BATCH);
        bench.stacks = MEM_ARRAY(uint8_t, BATCH * stack_bytes);
        bench.next_stacks = MEM_ARRAY(uint8_t, BATCH * stack_bytes);
        status = bench_ring(options, &bench, false, err);
        if (status == RL_OK) status = bench_ring(options, &bench, true, err);
        if (status == RL_OK) status = bench_million(options, &bench, err);
    }
    release(&bench);
    return status;
}
