#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

#define SPINS_BEFORE_SLEEP 4000

struct worker {
    struct pool *pool;
    pthread_t thread;
    int index;
};

struct pool {
    int n_threads; // with the caller
    struct worker *workers;
    pthread_mutex_t lock;
    pthread_cond_t work_ready, work_done;
    _Atomic unsigned generation; // grows by one for each pool_run
    _Atomic int n_running;
    _Atomic bool quit;
    pool_task_fn task;
    void *context;
    int n_tasks;
};

static void run_share(struct pool *pool, int index) {
    for (int i = index; i < pool->n_tasks; i += pool->n_threads) pool->task(pool->context, i);
}

// Spins for a short while first: kernels follow each other within microseconds.
static bool wait_for_work(struct pool *pool, unsigned seen) {
    for (int i = 0; i < SPINS_BEFORE_SLEEP; i++) {
        if (atomic_load(&pool->generation) != seen || atomic_load(&pool->quit)) break;
        __builtin_ia32_pause();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->generation) == seen && !atomic_load(&pool->quit)) {
        pthread_cond_wait(&pool->work_ready, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return !atomic_load(&pool->quit);
}

static void *worker_main(void *argument) {
    struct worker *worker = argument;
    struct pool *pool = worker->pool;
    unsigned seen = 0;
    while (wait_for_work(pool, seen)) {
        seen++;
        run_share(pool, worker->index);
        pthread_mutex_lock(&pool->lock);
        if (atomic_fetch_sub(&pool->n_running, 1) == 1) pthread_cond_signal(&pool->work_done);
        pthread_mutex_unlock(&pool->lock);
    }
    return NULL;
}

struct pool *pool_create(int n_threads, struct rl_error *err) {
    RL_ASSERT(n_threads >= 1);
    struct pool *pool = MEM_NEW(struct pool);
    pool->n_threads = 1;
    pool->workers = MEM_ARRAY(struct worker, n_threads);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work_ready, NULL);
    pthread_cond_init(&pool->work_done, NULL);
    for (int i = 1; i < n_threads; i++) {
        struct worker *worker = &pool->workers[i];
        *worker = (struct worker){.pool = pool, .index = i};
        int error = pthread_create(&worker->thread, NULL, worker_main, worker);
        if (error) {
            rl_fail(err, RL_ENOMEM, "cannot start thread %d: %s", i, strerror(error));
            pool_destroy(pool);
            return NULL;
        }
        pool->n_threads = i + 1;
    }
    return pool;
}

void pool_destroy(struct pool *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->quit, true);
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 1; i < pool->n_threads; i++) pthread_join(pool->workers[i].thread, NULL);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->work_ready);
    pthread_cond_destroy(&pool->work_done);
    mem_free(pool->workers);
    mem_free(pool);
}

int pool_thread_count(const struct pool *pool) {
    return pool ? pool->n_threads : 1;
}

void pool_run(struct pool *pool, int n_tasks, pool_task_fn task, void *context) {
    if (!pool || pool->n_threads == 1 || n_tasks <= 1) {
        for (int i = 0; i < n_tasks; i++) task(context, i);
        return;
    }
    pool->task = task;
    pool->context = context;
    pool->n_tasks = n_tasks;
    atomic_store(&pool->n_running, pool->n_threads - 1);
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->generation, 1);
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->lock);
    run_share(pool, 0);
    for (int i = 0; i < SPINS_BEFORE_SLEEP && atomic_load(&pool->n_running); i++) {
        __builtin_ia32_pause();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->n_running)) pthread_cond_wait(&pool->work_done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

struct pool_range pool_split(int count, int n_parts, int part, int grain) {
    RL_ASSERT(count >= 0 && n_parts > 0 && part >= 0 && part < n_parts && grain > 0);
    long n_grains = ((long)count + grain - 1) / grain;
    long begin = n_grains * part / n_parts * grain, end = n_grains * (part + 1) / n_parts * grain;
    return (struct pool_range){begin < count ? (int)begin : count, end < count ? (int)end : count};
}
