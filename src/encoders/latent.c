#include "encoders/latent.h"

struct latent latent_add(struct encoder *encoder, int width) {
    struct latent layer = {0};
    int dim = encoder->spec.latent_dim;
    encoder->out_dim = dim > 0 ? dim : width;
    if (dim <= 0) return layer;
    layer.used = true;
    layer.linear = linear_add(&encoder->params, "encoder.latent.0", width, dim, true,
                              (struct init){INIT_ORTHOGONAL, 1.0});
    layer.norm = layer_norm_add(&encoder->params, "encoder.latent.1", dim);
    return layer;
}

struct tensor *latent(struct tape *tape, const struct params *params, const struct latent *layer,
                      struct tensor *features) {
    if (!layer->used) return features;
    return layer_norm(tape, params, &layer->norm,
                      linear(tape, params, &layer->linear, features, false));
}

size_t latent_value_bytes(size_t count) {
    return 2 * (count * sizeof(real) + 64) + sizeof(struct tensor) + 256;
}

size_t latent_conv_bytes(const struct conv_shape *shape) {
    size_t out =
        (size_t)shape->batch * conv_out_h(shape) * conv_out_w(shape) * (size_t)shape->out_c;
    return latent_value_bytes(out) + 2 * conv_workspace_bytes(shape);
}

size_t latent_tape_bytes(const struct encoder *encoder, int n) {
    return 4 * latent_value_bytes((size_t)n * encoder->out_dim);
}
