#include "ssl/bank.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

static void normalize(real *row, int dim) {
    double square = 0;
    for (int j = 0; j < dim; j++) square += (double)row[j] * (double)row[j];
    double scale = square > 0 ? 1 / sqrt(square) : 0;
    for (int j = 0; j < dim; j++) row[j] = (real)((double)row[j] * scale);
}

// --- queue ---

enum rl_status queue_create(struct queue *queue, int size, int dim, struct rng *rng,
                            struct rl_error *err) {
    *queue = (struct queue){.size = size, .dim = dim};
    queue->rows = mem_try_alloc(mem_size(mem_size(size, dim), sizeof(real)), "key queue", err);
    if (!queue->rows) return RL_ENOMEM;
    for (int i = 0; i < size; i++) {
        real *row = queue->rows + (size_t)i * dim;
        for (int j = 0; j < dim; j++) row[j] = (real)rng_normal(rng);
        normalize(row, dim);
    }
    return RL_OK;
}

void queue_release(struct queue *queue) {
    mem_free(queue->rows);
    *queue = (struct queue){0};
}

void queue_push(struct queue *queue, const real *rows, int count) {
    for (int i = 0; i < count; i++) {
        memcpy(queue->rows + (size_t)queue->at * queue->dim, rows + (size_t)i * queue->dim,
               (size_t)queue->dim * sizeof(real));
        queue->at = (queue->at + 1) % queue->size;
    }
}

void queue_visit(struct queue *queue, const char *name, struct state_visitor *visitor) {
    size_t mark = state_enter(visitor, name);
    state_bytes(visitor, "rows", queue->rows, (size_t)queue->size * queue->dim * sizeof(real));
    state_field(visitor, queue, at);
    state_leave(visitor, mark);
}

// --- memory bank ---

enum rl_status bank_create(struct bank *bank, int64_t size, int dim, struct rng *rng,
                           struct rl_error *err) {
    *bank = (struct bank){.size = size, .dim = dim};
    bank->rows = mem_try_alloc(mem_size(mem_size(size, dim), sizeof(real)), "memory bank", err);
    if (!bank->rows) return RL_ENOMEM;
    double bound = 1 / sqrt(dim / 3.0);
    for (int64_t i = 0; i < size * dim; i++) bank->rows[i] = (real)rng_range(rng, -bound, bound);
    return RL_OK;
}

void bank_release(struct bank *bank) {
    mem_free(bank->rows);
    *bank = (struct bank){0};
}

void bank_visit(struct bank *bank, const char *name, struct state_visitor *visitor) {
    size_t mark = state_enter(visitor, name);
    state_bytes(visitor, "rows", bank->rows, (size_t)bank->size * bank->dim * sizeof(real));
    state_field(visitor, bank, z);
    state_leave(visitor, mark);
}

void bank_draw(const struct bank *bank, const int64_t *positive, int n, int count, struct rng *rng,
               int64_t *index) {
    for (int i = 0; i < n; i++) {
        *index++ = positive[i];
        for (int j = 1; j < count; j++) *index++ = rng_below(rng, (uint32_t)bank->size);
    }
}

struct tensor *bank_rows(struct tape *tape, const struct bank *bank, const int64_t *index, int n) {
    struct tensor *rows = tape_new(tape, 2, (int[]){n, bank->dim}, false);
    for (int i = 0; i < n; i++) {
        memcpy(rows->data + (size_t)i * bank->dim, bank->rows + (size_t)index[i] * bank->dim,
               (size_t)bank->dim * sizeof(real));
    }
    return rows;
}

double bank_nce_chance(double noise) {
    return log(1 + noise) + noise * log(1 + 1 / noise);
}

struct scores_context {
    const struct bank *bank;
    struct tensor *x, *y;
    const int64_t *index;
    int count;
    double temperature;
};

static void scores_backward(struct tape *tape, void *context) {
    (void)tape;
    const struct scores_context *c = context;
    int dim = c->bank->dim;
    for (int i = 0; i < c->x->dim[0]; i++) {
        real *gx = c->x->grad + (size_t)i * dim;
        for (int j = 0; j < c->count; j++) {
            size_t at = (size_t)i * c->count + j;
            const real *row = c->bank->rows + (size_t)c->index[at] * dim;
            real g = c->y->grad[at] / (real)c->temperature;
            for (int d = 0; d < dim; d++) gx[d] += g * row[d];
        }
    }
}

struct tensor *bank_scores(struct tape *tape, const struct bank *bank, struct tensor *x,
                           const int64_t *index, int count, double temperature) {
    int n = x->dim[0], dim = bank->dim;
    RL_ASSERT(x->dim[1] == dim);
    bool wanted = tape_is_recording(tape) && x->grad;
    struct tensor *y = tape_new(tape, 2, (int[]){n, count}, wanted);
    for (int i = 0; i < n; i++) {
        const real *own = x->data + (size_t)i * dim;
        for (int j = 0; j < count; j++) {
            size_t at = (size_t)i * count + j;
            RL_ASSERT(index[at] >= 0 && index[at] < bank->size);
            const real *row = bank->rows + (size_t)index[at] * dim;
            real dot = 0;
            for (int d = 0; d < dim; d++) dot += own[d] * row[d];
            y->data[at] = dot / (real)temperature;
        }
    }
    if (!wanted) return y;
    struct scores_context *context = ARENA_ARRAY(tape_arena(tape), struct scores_context, 1);
    *context = (struct scores_context){bank, x, y, index, count, temperature};
    tape_record(tape, scores_backward, context);
    return y;
}

struct tensor *bank_nce(struct tape *tape, struct bank *bank, struct tensor *x,
                        const int64_t *index, int count, double temperature) {
    const double eps = 1e-7; // the official code's
    int n = x->dim[0];
    double noise = (double)(count - 1) / (double)bank->size;
    struct tensor *e = op_exp(tape, bank_scores(tape, bank, x, index, count, temperature));
    if (bank->z == 0) {
        double sum = 0;
        for (size_t i = 0; i < e->count; i++) sum += (double)e->data[i];
        bank->z = sum / (double)e->count * (double)bank->size;
    }
    struct tensor *p = op_affine(tape, e, 1 / bank->z, 0);
    struct tensor *log_sum = op_log(tape, op_affine(tape, p, 1, noise + eps));
    struct tensor *log_own = op_log(tape, op_columns(tape, p, 0, 1));
    // Sum over i of log(p0 / (p0 + ..)) and (count - 1) log noise - sum over k of log(pk + ..).
    struct tensor *total = op_sub(tape, op_sum(tape, log_sum), op_sum(tape, log_own));
    return op_affine(tape, total, 1.0 / n, -(count - 1) * log(noise));
}

struct tensor *bank_softmax(struct tape *tape, const struct bank *bank, struct tensor *x,
                            const int64_t *index, double temperature) {
    int n = x->dim[0], *label = ARENA_ARRAY(tape_arena(tape), int, n);
    for (int i = 0; i < n; i++) label[i] = (int)index[i];
    struct tensor *rows = tape_input_2d(tape, bank->rows, (int)bank->size, bank->dim);
    struct tensor *scores = op_matmul(tape, x, false, rows, true);
    return op_cross_entropy(tape, op_affine(tape, scores, 1 / temperature, 0), label);
}

void bank_update(struct bank *bank, const real *x, const int64_t *index, int count,
                 double momentum) {
    for (int i = 0; i < count; i++) {
        real *row = bank->rows + (size_t)index[i] * bank->dim;
        const real *own = x + (size_t)i * bank->dim;
        for (int d = 0; d < bank->dim; d++)
            row[d] = (real)(momentum * (double)row[d] + (1 - momentum) * (double)own[d]);
        normalize(row, bank->dim);
    }
}
