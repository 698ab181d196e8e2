#include "math/optim.h"

#include <math.h>

#include "base/err.h"
#include "math/optim_table.h"
#include "math/simd.h"

#define PART_COUNT 16384 // weights of one part
#define MAX_PARTS  64

static const struct optim_table *optim_table(void) {
#if defined(__x86_64__) && !defined(RL_DOUBLE)
    switch (simd_level()) {
    case SIMD_LEVEL_AVX512: return &optim_table_avx512;
    case SIMD_LEVEL_AVX2: return &optim_table_avx2;
    case SIMD_LEVEL_PORTABLE: break;
    }
#endif
    return &optim_table_portable;
}

struct call {
    const struct optim_table *table;
    const struct optim_block *block;
    struct optim_numbers numbers;
    const real *from; // of the moving average
    real *to;
    size_t count;
    int n_parts;
    double sums[MAX_PARTS][2]; // of LARS
};

static struct call make_call(const struct optim_block *block, size_t count) {
    struct call call = {.table = optim_table(), .block = block, .count = count};
    size_t parts = (count + PART_COUNT - 1) / PART_COUNT;
    call.n_parts = parts < MAX_PARTS ? (int)parts : MAX_PARTS;
    call.numbers.ratio = 1;
    return call;
}

struct range {
    size_t begin, end;
};

static struct range part_range(const struct call *call, int part) {
    size_t parts = (size_t)call->n_parts, each = ((call->count + parts - 1) / parts + 15) / 16 * 16;
    size_t begin = each * (size_t)part, end = begin + each;
    return (struct range){begin < call->count ? begin : call->count,
                          end < call->count ? end : call->count};
}

static void adam_part(void *context, int part) {
    const struct call *call = context;
    struct range range = part_range(call, part);
    call->table->adam(call->block, &call->numbers, range.begin, range.end);
}

void optim_adam(struct pool *pool, const struct adam_hyper *hyper, int64_t step,
                const struct optim_block *block) {
    RL_ASSERT(step >= 1);
    struct call call = make_call(block, block->count);
    call.numbers = (struct optim_numbers){
        .lr = (real)(hyper->lr / (1 - pow(hyper->beta1, (double)step))),
        .beta1 = (real)hyper->beta1,
        .beta2 = (real)hyper->beta2,
        .rest1 = (real)(1 - hyper->beta1),
        .rest2 = (real)(1 - hyper->beta2),
        .eps = (real)hyper->eps,
        .l2 = (real)hyper->l2,
        .keep = (real)(1 - hyper->lr * hyper->decay),
        .root_correction = (real)(1 / sqrt(1 - pow(hyper->beta2, (double)step))),
    };
    pool_run(pool, call.n_parts, adam_part, &call);
}

static void sgd_part(void *context, int part) {
    const struct call *call = context;
    struct range range = part_range(call, part);
    call->table->sgd(call->block, &call->numbers, range.begin, range.end);
}

static void run_sgd(struct pool *pool, struct call *call, double lr, double momentum, double l2) {
    call->numbers.lr = (real)lr;
    call->numbers.beta1 = (real)momentum;
    call->numbers.l2 = (real)l2;
    pool_run(pool, call->n_parts, sgd_part, call);
}

void optim_sgd(struct pool *pool, double lr, double momentum, double l2,
               const struct optim_block *block) {
    struct call call = make_call(block, block->count);
    run_sgd(pool, &call, lr, momentum, l2);
}

static void norms_part(void *context, int part) {
    struct call *call = context;
    struct range range = part_range(call, part);
    call->table->norms(call->block, call->numbers.l2, range.begin, range.end, call->sums[part]);
}

void optim_lars(struct pool *pool, double lr, double momentum, double l2, double trust,
                const struct optim_block *block) {
    struct call call = make_call(block, block->count);
    call.numbers.l2 = (real)l2;
    pool_run(pool, call.n_parts, norms_part, &call);
    double w_square = 0, g_square = 0;
    for (int i = 0; i < call.n_parts; i++) {
        w_square += call.sums[i][0];
        g_square += call.sums[i][1];
    }
    bool moves = w_square > 0 && g_square > 0;
    if (moves) call.numbers.ratio = (real)(trust * sqrt(w_square) / sqrt(g_square));
    run_sgd(pool, &call, lr, momentum, l2);
}

static void ema_part(void *context, int part) {
    const struct call *call = context;
    struct range range = part_range(call, part);
    call->table->ema(&call->numbers, call->from, call->to, range.begin, range.end);
}

void optim_ema(struct pool *pool, double decay, size_t count, const real *w, real *target) {
    struct call call = make_call(NULL, count);
    call.from = w;
    call.to = target;
    call.numbers.beta1 = (real)decay;
    call.numbers.rest1 = (real)(1 - decay);
    pool_run(pool, call.n_parts, ema_part, &call);
}
