// What `rlrun probe --pictures DIR` draws of an encoder's latents, as PNG files in DIR.
#pragma once

#include "encoders/encoder.h"
#include "ssl/ssl.h"

struct probe_pictures {
    const char *dir, *name; // files are DIR/NAME-neighbours.png and so on
    struct encoder *encoder;
    const struct ssl_source *source;
    int64_t n;           // pictures of the source that have latents
    const real *x;       // (n, out_dim)
    const int *label;    // (n) classes, coloured by hue; NULL: values
    const double *value; // (n), coloured from blue to yellow
    struct pool *pool;
};

// neighbours: pictures, each in a row with its nearest by cosine; plane: the latents on their first
// two principal components; attention (vit): pictures and where the class token looks.
RL_CHECKED enum rl_status probe_pictures_draw(const struct probe_pictures *pictures,
                                              struct rl_error *err);
