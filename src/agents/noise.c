#include "agents/noise.h"

#include <math.h>

#include "agents/core.h"
#include "base/mem.h"

const char *const noise_names[NOISE_KINDS + 1] = {"gaussian", "ou", NULL};

void ou_noise_init(struct ou_noise *noise, int dim) {
    *noise = (struct ou_noise){.x = MEM_ARRAY(real, dim), .dim = dim};
}

void ou_noise_release(struct ou_noise *noise) {
    mem_free(noise->x);
    *noise = (struct ou_noise){0};
}

void ou_noise_step(struct ou_noise *noise, double theta, struct rng *rng) {
    double keep = 1 - theta, fresh = sqrt(1 - keep * keep);
    for (int i = 0; i < noise->dim; i++) {
        noise->x[i] = (real)(keep * (double)noise->x[i] + fresh * rng_normal(rng));
    }
}

void ou_noise_visit(struct ou_noise *noise, struct state_visitor *visitor) {
    state_bytes(visitor, "ou_noise", noise->x, (size_t)noise->dim * sizeof *noise->x);
}

void noise_normals(struct agent *agent, struct rng *rng, const char *name, real *out,
                   size_t count) {
    if (agent->tap) {
        agent->tap->normals(agent->tap->context, name, out, count);
        return;
    }
    for (size_t i = 0; i < count; i++) out[i] = (real)rng_normal(rng);
}

struct tensor *noise_clipped(struct agent *agent, const char *name, int n, double std,
                             double clip) {
    int dim[2] = {n, agent->spec.action_dim};
    struct tensor *noise = tape_new(agent->tape, 2, dim, false);
    noise_normals(agent, &agent->update_rng, name, noise->data, noise->count);
    real scale = (real)std, bound = (real)clip;
    for (size_t i = 0; i < noise->count; i++) {
        real x = noise->data[i] * scale;
        noise->data[i] = x < -bound ? -bound : x > bound ? bound : x;
    }
    return noise;
}
