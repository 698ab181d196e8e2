// Encoders: from pixels (or a vector) to a latent row. An encoder is a definition (layers with
// parameter ids) beside a block of weights, so that online, target and published copies share one
// definition. Adding one: src/encoders/NAME.c with `const struct encoder_ops encoder_NAME`, and
// ENCODER(NAME) in encoders.def.
#pragma once

#include <stdint.h>

#include "base/opt.h"
#include "nn/layers.h"

struct config;

struct encoder_spec {
    int in_dim[3];  // H, W, C of the stacked input; C = 0: a vector
    int obs_dim;    // length of the vector input
    int latent_dim; // wanted width; 0 = the architecture's own features, no projection (end to end)
};

// One input batch: pixels (n, H, W, C) u8, or rows (n, obs_dim).
struct encoder_input {
    int n;
    const uint8_t *pixels;
    const real *rows;
};

struct encoder;

struct encoder_ops {
    const char *name, *summary; // "cnn", one line
    struct opt_table opts;      // section = name
    size_t options_bytes;
    bool vector_input; // takes rows, not pixels

    // Registers its weights in encoder->params under "encoder." names, sets encoder->out_dim and
    // may keep a private struct in encoder->net (one mem_alloc; freed with the encoder).
    enum rl_status (*create)(struct encoder *encoder, struct rl_error *err);
    // (n, out_dim). params is the block to use: encoder->params or another of the same layout.
    struct tensor *(*forward)(struct encoder *encoder, struct tape *tape,
                              const struct params *params, const struct encoder_input *input);
    // The same, with the features before the projection: a map (n, H, W, C), or tokens (n, T, D)
    // with the class token first. NULL: there are none.
    struct tensor *(*local)(struct encoder *encoder, struct tape *tape, const struct params *params,
                            const struct encoder_input *input, struct tensor **latents);
    // Upper bound of what one forward and backward of n inputs take from a tape's arena.
    size_t (*tape_bytes)(const struct encoder *encoder, int n);
    // Attention of the last block from the CLS token: (n, heads * tokens); NULL when there is none.
    struct tensor *(*attention)(struct encoder *encoder, struct tape *tape,
                                const struct params *params, const struct encoder_input *input,
                                int *heads);
};

struct encoder {
    const struct encoder_ops *ops;
    struct encoder_spec spec;
    void *options;        // filled from the table
    void *net;            // the architecture's own layers
    struct params params; // online weights
    int out_dim;
};

// name: an entry of encoders.def. config may be NULL (defaults). rng draws the initial weights.
// NULL + err.
struct encoder *encoder_create(const char *name, const struct encoder_spec *spec,
                               struct config *config, struct rng *rng, struct rl_error *err);
// The same architecture and options with new weights.
struct encoder *encoder_create_like(const struct encoder *encoder, struct rng *rng,
                                    struct rl_error *err);
void encoder_destroy(struct encoder *encoder);
struct tensor *encoder_forward(struct encoder *encoder, struct tape *tape,
                               const struct params *params, const struct encoder_input *input);

// For whoever sizes a tape: see encoder_ops.
size_t encoder_tape_bytes(const struct encoder *encoder, int n);

const struct encoder_ops *encoder_find(const char *name); // NULL when unknown
int encoder_count(void);
const struct encoder_ops *encoder_at(int index);

// Weights as safetensors, with name, spec and options in the metadata, so that encoder_load needs
// nothing else.
RL_CHECKED enum rl_status encoder_save(const struct encoder *encoder, const struct params *params,
                                       const char *path, struct rl_error *err);
struct encoder *encoder_load(const char *path, struct rl_error *err);
