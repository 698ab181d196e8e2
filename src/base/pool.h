// Fixed threads with a static partition into tasks: task i of n always covers the same work,
// whichever thread runs it, so results do not depend on the number of threads. Write tasks so that
// n depends on the problem only (pool_split), never on the thread count.
#pragma once

#include "base/err.h"

struct pool; // NULL is a valid pool: everything runs in the caller

// n_threads counts the caller; 1 starts none. NULL + err when threads cannot be started.
struct pool *pool_create(int n_threads, struct rl_error *err);
void pool_destroy(struct pool *pool);
int pool_thread_count(const struct pool *pool);

typedef void (*pool_task_fn)(void *context, int task);

// Runs task(context, 0..n_tasks-1) and returns when all are done. Task i is meant for thread i %
// threads; a thread without tasks of its own left takes those of others, so that nobody waits for a
// thread that gets no core. Not reentrant: a task must not run the same pool, nor wait for another.
void pool_run(struct pool *pool, int n_tasks, pool_task_fn task, void *context);

struct pool_range {
    int begin, end;
};

// Part number part of [0, count) cut into n_parts, each cut at a multiple of grain.
struct pool_range pool_split(int count, int n_parts, int part, int grain);
