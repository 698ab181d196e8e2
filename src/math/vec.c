#include "math/vec.h"

#include <limits.h>

#include "math/simd.h"
#include "math/vec_table.h"

#define PARALLEL_FROM 65536 // elements; below, waking a thread costs more than it saves
#define PART_ELEMENTS 32768
#define MAX_PARTS     64

const struct vec_table *vec_table(void) {
#ifndef RL_DOUBLE
    if (simd_level() == SIMD_LEVEL_AVX512) return &vec_table_avx512;
    if (simd_level() == SIMD_LEVEL_AVX2) return &vec_table_avx2;
#endif
    return &vec_table_portable;
}

static int part_count(size_t count) {
    if (count < PARALLEL_FROM) return 1;
    size_t parts = count / PART_ELEMENTS;
    return parts < MAX_PARTS ? (int)parts : MAX_PARTS;
}

struct run_call {
    void (*kernel)(const struct vec_args *args, size_t begin, size_t end);
    const struct vec_args *args;
    int count, n_parts;
};

static void run_part(void *context, int task) {
    const struct run_call *call = context;
    struct pool_range range = pool_split(call->count, call->n_parts, task, 16);
    call->kernel(call->args, (size_t)range.begin, (size_t)range.end);
}

void vec_run(struct pool *pool, enum vec_op op, const struct vec_args *args, size_t count) {
    RL_ASSERT(count <= INT_MAX);
    struct run_call call = {vec_table()->kernel[op], args, (int)count, part_count(count)};
    pool_run(pool, call.n_parts, run_part, &call);
}

struct row_call {
    const struct vec_table *table;
    int rows, columns, n_parts;
    const real *x, *b;
    bool flag;
    real *out;
    bool add; // else multiply
};

static void row_part(void *context, int task) {
    const struct row_call *call = context;
    struct pool_range range = pool_split(call->rows, call->n_parts, task, 1);
    for (int i = range.begin; i < range.end; i++) {
        size_t at = (size_t)i * (size_t)call->columns;
        if (call->add) {
            call->table->add_row(call->columns, call->x + at, call->b, call->flag, call->out + at);
        } else {
            call->table->mul_row(call->columns, call->x + at, call->b, call->flag, call->out + at);
        }
    }
}

static void run_rows(struct pool *pool, struct row_call *call) {
    call->table = vec_table();
    call->n_parts = part_count((size_t)call->rows * (size_t)call->columns);
    pool_run(pool, call->n_parts, row_part, call);
}

void vec_add_row(struct pool *pool, int rows, int columns, const real *x, const real *b, bool relu,
                 real *y) {
    struct row_call call = {
        .rows = rows, .columns = columns, .x = x, .b = b, .flag = relu, .out = y, .add = true};
    run_rows(pool, &call);
}

void vec_mul_row(struct pool *pool, int rows, int columns, const real *x, const real *b,
                 bool accumulate, real *out) {
    struct row_call call = {
        .rows = rows, .columns = columns, .x = x, .b = b, .flag = accumulate, .out = out};
    run_rows(pool, &call);
}

struct strip_call {
    const struct vec_table *table;
    int rows, columns;
    const real *x, *y;
    real *grad, *out; // grad: the rows to mask, or NULL for a plain sum
};

static void strip_part(void *context, int task) {
    const struct strip_call *call = context;
    int begin = task * VEC_STRIP;
    int width = call->columns - begin < VEC_STRIP ? call->columns - begin : VEC_STRIP;
    real *out = call->out ? call->out + begin : NULL;
    const real *y = call->y ? call->y + begin : NULL;
    if (call->grad) {
        call->table->relu_sum_rows(call->rows, width, call->columns, y, call->grad + begin, out);
    } else {
        call->table->sum_rows(call->rows, width, call->columns, call->x + begin, y, out);
    }
}

// Whole strips for each task, so that every column is summed in the same order.
static void run_strips(struct pool *pool, struct strip_call *call) {
    call->table = vec_table();
    bool large = (size_t)call->rows * (size_t)call->columns >= PARALLEL_FROM;
    pool_run(large ? pool : NULL, (call->columns + VEC_STRIP - 1) / VEC_STRIP, strip_part, call);
}

void vec_sum_rows(struct pool *pool, int rows, int columns, const real *x, const real *y,
                  real *out) {
    struct strip_call call = {.rows = rows, .columns = columns, .x = x, .y = y, .out = out};
    run_strips(pool, &call);
}

void vec_relu_sum_rows(struct pool *pool, int rows, int columns, const real *y, real *gy,
                       real *gb) {
    struct strip_call call = {.rows = rows, .columns = columns, .y = y, .grad = gy, .out = gb};
    run_strips(pool, &call);
}

struct dot_call {
    const struct vec_table *table;
    const real *x, *y;
    size_t count;
    int n_parts;
    double total[MAX_PARTS];
};

static void dot_part(void *context, int task) {
    struct dot_call *call = context;
    struct pool_range range = pool_split((int)call->count, call->n_parts, task, VEC_SUM_BLOCK);
    double total = 0;
    for (int i = range.begin; i < range.end; i += VEC_SUM_BLOCK) {
        size_t left = (size_t)(range.end - i);
        total += call->table->block_dot(left < VEC_SUM_BLOCK ? left : VEC_SUM_BLOCK, call->x + i,
                                        call->y ? call->y + i : NULL);
    }
    call->total[task] = total;
}

double vec_dot(struct pool *pool, size_t count, const real *x, const real *y) {
    RL_ASSERT(count <= INT_MAX);
    struct dot_call call = {vec_table(), x, y, count, part_count(count), {0}};
    pool_run(pool, call.n_parts, dot_part, &call);
    double total = 0;
    for (int i = 0; i < call.n_parts; i++) total += call.total[i];
    return total;
}

double vec_sum(struct pool *pool, size_t count, const real *x) {
    return vec_dot(pool, count, x, NULL);
}

bool vec_is_finite(size_t count, const real *x) {
    int bad = 0;
    for (size_t i = 0; i < count; i++) bad |= !(x[i] - x[i] == 0);
    return !bad;
}
