#include "math/softmax.h"

#include <stddef.h>
#include <tgmath.h>

#include "math/vec.h"

enum kind { FORWARD, BACKWARD, LOG_FORWARD, LOG_BACKWARD, SUM_FORWARD, SUM_BACKWARD };

struct softmax_call {
    enum kind kind;
    int rows, columns, n_parts;
    const real *x, *y, *gy;
    bool accumulate;
    real *out;
};

static real row_max(int columns, const real *x) {
    real largest = x[0];
    for (int j = 1; j < columns; j++) largest = x[j] < largest ? largest : x[j]; // keeps a NaN
    return largest;
}

// out = exp(x - largest), returns the sum.
static double row_exp(int columns, const real *x, real largest, real *out) {
    for (int j = 0; j < columns; j++) out[j] = x[j] - largest;
    vec_run(NULL, VEC_EXP, &(struct vec_args){.x = out, .out = out}, (size_t)columns);
    return vec_sum(NULL, (size_t)columns, out);
}

// log sum exp without room for the exponentials.
static real row_logsumexp(int columns, const real *x, real largest) {
    double sum = 0;
    real block[64];
    for (int j = 0; j < columns; j += 64) {
        int width = columns - j < 64 ? columns - j : 64;
        sum += row_exp(width, x + j, largest, block);
    }
    return largest + (real)log(sum);
}

static void put(const struct softmax_call *call, real *out, real value) {
    *out = call->accumulate ? *out + value : value;
}

static void forward_row(const struct softmax_call *call, int i) {
    int columns = call->columns;
    size_t at = (size_t)i * (size_t)columns;
    const real *x = call->x + at;
    real largest = row_max(columns, x);
    if (call->kind == FORWARD) {
        real *y = call->out + at;
        real scale = (real)(1 / row_exp(columns, x, largest, y));
        for (int j = 0; j < columns; j++) y[j] *= scale;
        return;
    }
    if (call->kind == SUM_FORWARD) {
        call->out[i] = row_logsumexp(columns, x, largest);
        return;
    }
    // (x - largest) first: the difference of close numbers is exact.
    real rest = row_logsumexp(columns, x, largest) - largest;
    for (int j = 0; j < columns; j++) call->out[at + (size_t)j] = (x[j] - largest) - rest;
}

static void backward_row(const struct softmax_call *call, int i) {
    int columns = call->columns;
    size_t at = (size_t)i * (size_t)columns;
    const real *y = call->y + at, *gy = call->gy + at;
    real *gx = call->out + at;
    if (call->kind == BACKWARD) { // gx = y (gy - gy . y)
        real dot = (real)vec_dot(NULL, (size_t)columns, y, gy);
        for (int j = 0; j < columns; j++) put(call, &gx[j], y[j] * (gy[j] - dot));
    } else if (call->kind == LOG_BACKWARD) { // gx = gy - exp(y) sum(gy)
        real sum = (real)vec_sum(NULL, (size_t)columns, gy);
        for (int j = 0; j < columns; j++) put(call, &gx[j], gy[j] - exp(y[j]) * sum);
    } else {
        const real *x = call->x + at;
        for (int j = 0; j < columns; j++) put(call, &gx[j], call->gy[i] * exp(x[j] - call->y[i]));
    }
}

static void run_part(void *context, int task) {
    const struct softmax_call *call = context;
    struct pool_range range = pool_split(call->rows, call->n_parts, task, 1);
    bool forward = call->kind == FORWARD || call->kind == LOG_FORWARD || call->kind == SUM_FORWARD;
    for (int i = range.begin; i < range.end; i++) {
        if (forward) {
            forward_row(call, i);
        } else {
            backward_row(call, i);
        }
    }
}

static void run(struct pool *pool, struct softmax_call call) {
    size_t parts = (size_t)call.rows * (size_t)call.columns / 8192;
    call.n_parts = parts < 1 ? 1 : parts > 32 ? 32 : (int)parts;
    pool_run(pool, call.n_parts, run_part, &call);
}

void softmax_forward(struct pool *pool, int rows, int columns, const real *x, real *y) {
    run(pool, (struct softmax_call){FORWARD, rows, columns, .x = x, .out = y});
}

void softmax_backward(struct pool *pool, int rows, int columns, const real *y, const real *gy,
                      bool accumulate, real *gx) {
    run(pool, (struct softmax_call){BACKWARD, rows, columns, .y = y, .gy = gy,
                                    .accumulate = accumulate, .out = gx});
}

void softmax_log_forward(struct pool *pool, int rows, int columns, const real *x, real *y) {
    run(pool, (struct softmax_call){LOG_FORWARD, rows, columns, .x = x, .out = y});
}

void softmax_log_backward(struct pool *pool, int rows, int columns, const real *y, const real *gy,
                          bool accumulate, real *gx) {
    run(pool, (struct softmax_call){LOG_BACKWARD, rows, columns, .y = y, .gy = gy,
                                    .accumulate = accumulate, .out = gx});
}

void softmax_logsumexp_forward(struct pool *pool, int rows, int columns, const real *x, real *y) {
    run(pool, (struct softmax_call){SUM_FORWARD, rows, columns, .x = x, .out = y});
}

void softmax_logsumexp_backward(struct pool *pool, int rows, int columns, const real *x,
                                const real *y, const real *gy, bool accumulate, real *gx) {
    run(pool, (struct softmax_call){SUM_BACKWARD, rows, columns, .x = x, .y = y, .gy = gy,
                                    .accumulate = accumulate, .out = gx});
}
