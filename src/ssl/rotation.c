// RotNet (Gidaris et al. 2018): tell by which multiple of 90 degrees a picture was turned. One turn
// a picture and step, where the paper shows all four.
#include <math.h>
#include <string.h>

#include "ssl/pretext.h"

#define TURNS 4

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    const int *dim = ssl->encoder->spec.in_dim;
    if (dim[0] != dim[1])
        return rl_fail(err, RL_EUSAGE, "rotation needs square pictures, not %d x %d", dim[0],
                       dim[1]);
    pretext_create(ssl->state, ssl, TURNS);
    return RL_OK;
}

// Counter-clockwise by label * 90 degrees.
static void turn(const struct ssl *ssl, const uint8_t *in, int label, uint8_t *out) {
    int side = ssl->encoder->spec.in_dim[0], channels = ssl->encoder->spec.in_dim[2];
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++, out += channels) {
            int last = side - 1;
            const int from[TURNS][2] = {{y, x}, {x, last - y}, {last - y, last - x}, {last - x, y}};
            const int *at = from[label];
            memcpy(out, in + ((size_t)at[0] * side + at[1]) * channels, channels);
        }
    }
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    return pretext_loss(ssl->state, ssl, batch, turn, metrics);
}

static double chance(const struct ssl *ssl) {
    (void)ssl;
    return log(TURNS);
}

static void destroy(struct ssl *ssl) {
    pretext_release(ssl->state);
}

const struct ssl_ops ssl_rotation = {
    .name = "rotation",
    .summary = "tells how a picture was turned (pretext task)",
    .paper = "Gidaris et al. 2018, arXiv 1803.07728",
    .collapse_hint = "the task may not need the content: try another method",
    .opts = {"rotation", NULL},
    .state_bytes = sizeof(struct pretext),
    .one_way = true,
    .create = create,
    .loss = loss,
    .chance = chance,
    .destroy = destroy,
};
