// No encoder: the vector observation is the feature row.
#include "encoders/latent.h"

static enum rl_status create(struct encoder *encoder, struct rl_error *err) {
    int wanted = encoder->spec.latent_dim, have = encoder->spec.obs_dim;
    if (wanted > 0 && wanted != have)
        return rl_fail(err, RL_EUSAGE, "encoder 'identity' gives %d features, not latent_dim %d",
                       have, wanted);
    encoder->out_dim = have;
    return RL_OK;
}

static struct tensor *forward(struct encoder *encoder, struct tape *tape,
                              const struct params *params, const struct encoder_input *input) {
    (void)params;
    return tape_input_2d(tape, input->rows, input->n, encoder->spec.obs_dim);
}

static size_t tape_bytes(const struct encoder *encoder, int n) {
    return latent_tape_bytes(encoder, n);
}

const struct encoder_ops encoder_identity = {
    .name = "identity",
    .summary = "the vector observation as it is",
    .opts = {"identity", NULL},
    .vector_input = true,
    .create = create,
    .forward = forward,
    .tape_bytes = tape_bytes,
};
