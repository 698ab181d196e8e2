// What the encoders share: the way from an architecture's own features to a latent row, and sizes.
#pragma once

#include "encoders/encoder.h"
#include "math/conv.h"

// Linear then layer norm (the trunk of DrQ-v2 and SAC-AE, without its tanh). With latent_dim 0
// there are no weights and the features pass through.
struct latent {
    struct linear linear;
    struct norm norm;
    bool used;
};

// Registers "encoder.latent" for `width` features and sets encoder->out_dim.
struct latent latent_add(struct encoder *encoder, int width);
struct tensor *latent(struct tape *tape, const struct params *params, const struct latent *layer,
                      struct tensor *features);

// Bytes of count reals with their gradient, rounded as an arena does.
size_t latent_value_bytes(size_t count);
// The same for one convolution: output, its gradient and the workspace of both directions.
size_t latent_conv_bytes(const struct conv_shape *shape);
size_t latent_tape_bytes(const struct encoder *encoder, int n); // of the latent layer itself

// Pixels are read as x / 255 - 0.5.
#define PIXEL_SCALE (1.0 / 255.0)
#define PIXEL_SHIFT (-0.5)

// Gain of orthogonal weights before a ReLU: sqrt 2.
#define RELU_GAIN 1.4142135623730951
