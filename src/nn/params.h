// Named weights in one block, so that an optimizer step, a copy, an average or a checkpoint is one
// pass. First every layer registers its shapes (params_add), then params_finish takes memory and
// draws the initial values. A target network is another block of the same layout (params_clone).
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/real.h"
#include "base/rng.h"

enum init_kind {
    INIT_ZERO,
    INIT_ONE,
    INIT_CONSTANT,     // arg
    INIT_UNIFORM,      // U(-arg, arg)
    INIT_NORMAL,       // N(0, arg^2)
    INIT_TRUNC_NORMAL, // N(0, arg^2) cut at two standard deviations
    INIT_ORTHOGONAL,   // gain arg, as torch.nn.init.orthogonal_ (QR of a normal matrix)
    INIT_FAN_IN,       // U(+-1/sqrt(fan_in)): torch's default for linear and conv
    INIT_HE_NORMAL,    // N(0, 2 / fan_in)
    INIT_XAVIER,       // U(+-sqrt(6 / (fan_in + fan_out)))
};

struct init {
    enum init_kind kind;
    double arg;
};

#define PARAM_NAME_BYTES 64

struct param_item {
    char name[PARAM_NAME_BYTES]; // "actor.0.weight"
    int ndim, dim[4];
    size_t offset, count; // offsets are multiples of 64 bytes; the gaps stay zero
    struct init init;
    int fan_in, fan_out;
    bool buffer;   // state that is saved and averaged but not trained (running statistics)
    bool no_decay; // bias or norm: exempt from weight decay and LARS
};

struct params {
    struct param_item *items;
    int n_items;
    size_t count;
    real *value;
    real *grad; // NULL for blocks that are never trained (targets, snapshots)
};

// fan_in and fan_out matter for the initializer only. Returns the item's id. Aborts on a name used
// twice.
int params_add(struct params *params, const char *name, int ndim, const int *dim, struct init init,
               int fan_in, int fan_out);
int params_add_buffer(struct params *params, const char *name, int count, double value);

void params_finish(struct params *params, bool with_grad, struct rng *rng);
void params_release(struct params *params);

// Same layout and values, without gradients.
void params_clone(struct params *clone, const struct params *source);
void params_copy(struct params *to, const struct params *from); // values; layouts must agree
void params_zero_grad(struct params *params);

int params_find(const struct params *params, const char *name); // -1 when absent
// First item with a value (or gradient) that is not finite, or NULL: for the error's tensor name.
const char *params_not_finite(const struct params *params, bool in_grad);
