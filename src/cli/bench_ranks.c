// Averaging a gradient over the ranks of a job: `mpirun -n K rlrun bench ranks`; without mpirun
// over two threads of this process. Each exchange alone, nothing computed meanwhile: what hiding it
// behind back-propagation could save at most. CPU: of rank 0's thread, copies and sums (and
// spinning while it waits, where MPI does); wall: with waiting for the others. docs/scaling.md sets
// both beside an update.
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/bench.h"
#include "train/comm.h"

#define WARM_UP   20
#define EXCHANGES 400 // fixed: all ranks must make the same calls
#define THREADS   2

struct exchange_case {
    const char *name;
    size_t count;
};
static const struct exchange_case cases[] = {
    {"ddpg on one latent of 128", 300000},
    {"ddpg on two latents of 128", 400000},
    {"cnn encoder", 231456},
    {"one number", 1},
};

struct rank {
    struct comm *comm;
    const struct bench_options *options;
};

static void report(const struct rank *rank, const char *case_name, const char *what, double s) {
    char name[80];
    if (comm_rank(rank->comm) != 0) return;
    snprintf(name, sizeof name, "%s, %d ranks, %s", case_name, comm_size(rank->comm), what);
    bench_report(rank->options, &(struct bench_row){.case_name = name,
                                                    .value = 1e3 * s / EXCHANGES,
                                                    .unit = "ms",
                                                    .lower_is_better = true});
}

static void *run_rank(void *context) {
    const struct rank *rank = context;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        if (!bench_wanted(rank->options, cases[k].name)) continue;
        real *data = MEM_ARRAY(real, cases[k].count);
        double start_s = 0, start_cpu_s = 0;
        for (int i = 0; i < WARM_UP + EXCHANGES; i++) {
            if (i == WARM_UP) start_s = clock_now_s(), start_cpu_s = clock_thread_cpu_s();
            comm_average(rank->comm, COMM_POLICY, data, cases[k].count);
        }
        report(rank, cases[k].name, "CPU", clock_thread_cpu_s() - start_cpu_s);
        report(rank, cases[k].name, "wall", clock_now_s() - start_s);
        mem_free(data);
    }
    return NULL;
}

static void run_threads(const struct bench_options *options) {
    struct comm *comms[THREADS];
    struct rank ranks[THREADS];
    pthread_t threads[THREADS];
    comm_create_local(THREADS, comms);
    for (int r = 0; r < THREADS; r++) {
        ranks[r] = (struct rank){comms[r], options};
        pthread_create(&threads[r], NULL, run_rank, &ranks[r]);
    }
    for (int r = 0; r < THREADS; r++) pthread_join(threads[r], NULL);
    comm_destroy_local(THREADS, comms);
}

enum rl_status bench_ranks(const struct bench_options *options, struct rl_error *err) {
    struct rank rank = {.options = options};
    enum rl_status status = comm_start(&rank.comm, err);
    if (status != RL_OK) return status;
    if (!rank.comm) {
        run_threads(options);
        return RL_OK;
    }
    run_rank(&rank);
    comm_finish(rank.comm);
    return RL_OK;
}
