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
    _Atomic bool quit;
    _Atomic int n_left; // tasks not done yet
    // Under the lock:
    pool_task_fn task;
    void *context;
    int n_tasks;
    int *next; // for each thread, the next of its tasks: index, index + n_threads, ...
};

// Under the lock: the thread's own next task, else one of those that a thread which has not come
// (other programs hold its core) or is behind would do; -1 if all are taken.
static int take(struct pool *pool, int index) {
    for (int i = 0; i < pool->n_threads; i++) {
        int *next = &pool->next[(index + i) % pool->n_threads];
        if (*next >= pool->n_tasks) continue;
        int task = *next;
        *next += pool->n_threads;
        return task;
    }
    return -1;
}

static void run_share(struct pool *pool, int index) {
    pthread_mutex_lock(&pool->lock);
    for (int task; (task = take(pool, index)) >= 0;) {
        pool_task_fn run = pool->task;
        void *context = pool->context;
        pthread_mutex_unlock(&pool->lock);
        run(context, task);
        pthread_mutex_lock(&pool->lock);
        if (atomic_fetch_sub(&pool->n_left, 1) == 1) pthread_cond_signal(&pool->work_done);
    }
    pthread_mutex_unlock(&pool->lock);
}

// Spins for a short while first: kernels follow each other within microseconds.
static bool wait_for_work(struct pool *pool, unsigned *seen) {
    for (int i = 0; i < SPINS_BEFORE_SLEEP; i++) {
        if (atomic_load(&pool->generation) != *seen || atomic_load(&pool->quit)) break;
        __builtin_ia32_pause();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->generation) == *seen && !atomic_load(&pool->quit)) {
        pthread_cond_wait(&pool->work_ready, &pool->lock);
    }
    *seen = atomic_load(&pool->generation);
    pthread_mutex_unlock(&pool->lock);
    return !atomic_load(&pool->quit);
}

static void *worker_main(void *argument) {
    struct worker *worker = argument;
    unsigned seen = 0;
    while (wait_for_work(worker->pool, &seen)) run_share(worker->pool, worker->index);
    return NULL;
}

struct pool *pool_create(int n_threads, struct rl_error *err) {
    RL_ASSERT(n_threads >= 1);
    struct pool *pool = MEM_NEW(struct pool);
    pool->n_threads = 1;
    pool->workers = MEM_ARRAY(struct worker, n_threads);
    pool->next = MEM_ARRAY(int, n_threads);
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
    mem_free(pool->next);
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
    pthread_mutex_lock(&pool->lock);
    pool->task = task;
    pool->context = context;
    pool->n_tasks = n_tasks;
    for (int i = 0; i < pool->n_threads; i++) pool->next[i] = i;
    atomic_store(&pool->n_left, n_tasks);
    atomic_fetch_add(&pool->generation, 1);
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->lock);
    run_share(pool, 0);
    for (int i = 0; i < SPINS_BEFORE_SLEEP && atomic_load(&pool->n_left); i++) {
        __builtin_ia32_pause();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->n_left)) pthread_cond_wait(&pool->work_done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

struct pool_range pool_split(int count, int n_parts, int part, int grain) {
    RL_ASSERT(count >= 0 && n_parts > 0 && part >= 0 && part < n_parts && grain > 0);
    long n_grains = ((long)count + grain - 1) / grain;
    long begin = n_grains * part / n_parts * grain, end = n_grains * (part + 1) / n_parts * grain;
    return (struct pool_range){begin < count ? (int)begin : count, end < count ? (int)end : count};
}
