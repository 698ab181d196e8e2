// Exploration noise and the noise of smoothed policies. Standard deviations are in units of the
// action range [-1, 1].
#pragma once

#include "agents/agent.h"

enum noise_kind {
    NOISE_GAUSSIAN, // independent every step, the sum cut to [-1, 1]
    NOISE_OU,       // Ornstein-Uhlenbeck, correlated over about 1 / theta steps (Lillicrap 2016)
    NOISE_KINDS,
};
extern const char *const noise_names[NOISE_KINDS + 1];

// Ornstein-Uhlenbeck process with stationary standard deviation 1, one value an action dimension:
//   x' = (1 - theta) x + sqrt(1 - (1 - theta)^2) N(0, 1)
// so that its scale is the schedule's, as for Gaussian noise. Lillicrap's theta .15, sigma .2 is
// this with standard deviation .38.
struct ou_noise {
    real *x; // (action_dim)
    int dim;
};
void ou_noise_init(struct ou_noise *noise, int dim);
void ou_noise_release(struct ou_noise *noise);
void ou_noise_step(struct ou_noise *noise, double theta, struct rng *rng);
void ou_noise_visit(struct ou_noise *noise, struct state_visitor *visitor);

// Standard normals from rng, or from the test's tap under that name.
void noise_normals(struct agent *agent, struct rng *rng, const char *name, real *out, size_t count);

// std * N(0, 1), each cut to [-clip, clip], (n, action_dim) in the tape's arena: TD3's target
// smoothing and DrQ-v2's truncated normal.
struct tensor *noise_clipped(struct agent *agent, const char *name, int n, double std, double clip);
