// An optimizer over one block of parameters, with clipping and a finite check. Its state is saved
// by optimizer_visit (nn/state.h).
#pragma once

#include "math/optim.h"
#include "nn/params.h"
#include "nn/state.h"

enum optimizer_kind { OPTIMIZER_ADAM, OPTIMIZER_ADAMW, OPTIMIZER_SGD, OPTIMIZER_LARS };

struct optimizer_hyper {
    enum optimizer_kind kind;
    double lr, beta1, beta2, eps; // adam
    double momentum, trust;       // sgd, lars
    double decay;     // weight decay of the kind's own sort; skips no_decay items for LARS/AdamW
    double clip_norm; // global norm, 0 = off
};

struct optimizer {
    struct optimizer_hyper hyper;
    struct params *params; // borrowed
    real *m, *v;
    int64_t step;
};

// Learners elsewhere that work on the same weights: what makes one gradient of all of theirs, just
// before a step. NULL, or average NULL: alone.
struct gradient_sync {
    void *context;
    void (*average)(void *context, real *grad, size_t count);
};
static inline void gradient_average(const struct gradient_sync *sync, struct params *params) {
    if (sync && sync->average && params->count)
        sync->average(sync->context, params->grad, params->count);
}

struct optimizer_hyper optimizer_adam(double lr); // torch's defaults

void optimizer_init(struct optimizer *optimizer, struct params *params,
                    struct optimizer_hyper hyper);
void optimizer_release(struct optimizer *optimizer);

// Checks that the gradient is finite (else RL_ENUMERIC naming the tensor; weights untouched),
// clips, steps with lr * lr_scale, zeroes the gradient. *grad_norm (may be NULL) receives the norm
// before clipping.
RL_CHECKED enum rl_status optimizer_step(struct optimizer *optimizer, struct pool *pool,
                                         double lr_scale, double *grad_norm, struct rl_error *err);
void optimizer_visit(struct optimizer *optimizer, const char *prefix,
                     struct state_visitor *visitor);

// Schedules in steps (golden: nets/optim/schedule_*).
double schedule_linear(double from, double to, int64_t duration, int64_t step);
double schedule_cosine(double from, double to, int64_t duration, int64_t step);
double schedule_warmup_cosine(double peak, double final, int64_t warmup, int64_t duration,
                              int64_t step);
