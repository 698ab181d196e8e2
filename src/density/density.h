// Autoregressive models of binary rows x (D places, read as a picture height x width):
//   log p(x | y) = sum_i log p(x_i | x_<i, y),   log p(x, y) = log p(y) + log p(x | y),
// exact, in nats. A label y stands, one-hot, in front of x in the chain, so one model is p(x) (no
// classes), p(x | y), the joint, by Bayes the classifier p(y | x), and by summing over y p(x)
// again. A model with several orders of the chain is their mixture: p(x) = mean_k p_k(x), which
// sums to 1. Adding a model: src/density/NAME.c with `const struct density_ops density_NAME`, and
// DENSITY(NAME) in density.def.
#pragma once

#include <stdint.h>

#include "base/config.h"
#include "nn/ops.h"
#include "nn/optimizer.h"

#define DENSITY_MAX_CLASSES 1000

struct density_spec {
    int height, width;            // of the picture; a plain vector of D bits is 1 x D
    int classes;                  // 0: no labels
    int batch;                    // most rows at once
    uint64_t seed;                // initial weights, orders, choice of orders in training
    struct optimizer_hyper hyper; // of density_update
};

struct density;

// A chain of draws under way: rows whose places are set one after another.
struct density_chain {
    int n, order;
    const real *x; // (n, D), 0 or 1
    const real *y; // (n, classes) one-hot, or NULL
    void *state;   // chain_bytes, zeroed before the first place
};

struct density_ops {
    const char *name, *summary, *paper;
    struct opt_table opts; // section = name
    size_t options_bytes, state_bytes;

    // Registers weights in density->params; may call density_set_orders.
    enum rl_status (*create)(struct density *density, struct rl_error *err);
    // Logits (B, D) of x_i = 1 given the places before i in that order, and y (B, classes) or NULL.
    // A term linear in y is added to every place's logit by the caller.
    struct tensor *(*logits)(struct density *density, struct tape *tape, int order,
                             struct tensor *x, struct tensor *y);
    // Of the tape: what logits and its backward pass take for n rows.
    size_t (*tape_bytes)(const struct density *density, int n);
    // The same logits for one place after another, for sampling: step 0..D-1 in turn, each place
    // before it in the order is set. NULL: logits is called for every place.
    void (*chain_logits)(struct density *density, struct density_chain *chain, int step,
                         real *logits);
    size_t (*chain_bytes)(const struct density *density, int n); // NULL: none
    void (*destroy)(struct density *density);                    // of state's memory; or NULL
};

struct density {
    const struct density_ops *ops;
    struct density_spec spec;
    void *options, *state; // the model's own
    int size;              // D
    int n_orders;
    int *orders; // (n_orders, D): the place drawn at each step
    struct params params;
    int prior, label; // ids: logits of p(y), (D, classes) of y's linear term; -1 without classes
    struct optimizer optimizer;
    struct tape *tape;
    struct rng rng;
    real *x, *y; // scratch: (batch, D), (batch, classes)
};

// config may be NULL (defaults). NULL + err.
struct density *density_create(const char *name, const struct density_spec *spec,
                               struct config *config, struct pool *pool, struct rl_error *err);
void density_destroy(struct density *density);
void density_set_orders(struct density *density, int count); // the first is 0, 1, ...; for create

const struct density_ops *density_find(const char *name);
int density_count(void);
const struct density_ops *density_at(int index);

// One step up the likelihood of n <= batch rows (x: n * D bytes of 0 or 1; label: n numbers below
// classes, NULL without classes). nll: mean of -log p(x), or of -log p(x, y), before the step.
RL_CHECKED enum rl_status density_update(struct density *density, int n, const uint8_t *x,
                                         const int *label, double lr_scale, double *nll,
                                         struct rl_error *err);

// out (n): log p(x | label); without labels log p(x), summed over y where the model has classes.
void density_log_prob(struct density *density, int64_t n, const uint8_t *x, const int *label,
                      double *out);
// out (n, classes): log p(x, y) for every y; its largest is the class by Bayes.
void density_joint(struct density *density, int64_t n, const uint8_t *x, double *out);
void density_log_prior(const struct density *density, double *out); // (classes): log p(y)

// Draws the places of x (n, D) that known (D) does not mark (known NULL: all), given the others.
// Exact where the known places come first in the order; else each row is chosen among `particles`
// draws by their weight, the likelihood of the known places (importance resampling), exact as
// particles grow. label NULL: drawn too, and left in label_out (n; may be NULL).
void density_draw(struct density *density, struct rng *rng, int n, uint8_t *x, const uint8_t *known,
                  int particles, const int *label, int *label_out);

// Weights as safetensors, with the model, its spec and options in the metadata.
RL_CHECKED enum rl_status density_save(const struct density *density, const char *path,
                                       struct rl_error *err);
struct density *density_load(const char *path, int batch, struct pool *pool, struct rl_error *err);

// Everything that training changes.
void density_visit(struct density *density, const char *prefix, struct state_visitor *visitor);

// The tape's own: mean log-likelihood to go up, for tests of gradients (n <= batch).
struct tensor *density_loss(struct density *density, int n, const uint8_t *x, const int *label,
                            int order);
// Logits (n, D), y's linear term included, on the tape as it stands.
struct tensor *density_logits(struct density *density, int order, struct tensor *x,
                              struct tensor *y);
