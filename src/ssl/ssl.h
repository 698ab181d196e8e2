// Self-supervised learning of an encoder. The driver (ssl.c) owns what all methods share: it draws
// samples, makes augmented views, keeps the momentum (target) copies, runs the optional control
// heads (inverse dynamics, reward, forward), checks, clips, steps the optimizers, and watches for
// collapse. A method is one short file: its heads and its loss. Adding one: src/ssl/NAME.c with
// `const struct ssl_ops ssl_NAME`, and SSL(NAME) in ssl.def.
#pragma once

#include <stdint.h>

#include "base/metrics.h"
#include "base/opt.h"
#include "encoders/encoder.h"
#include "nn/optimizer.h"
#include "replay/replay.h"

#define SSL_MAX_VIEWS 10

struct config;

// Options shared by all methods: section "ssl". Time, actions and rewards exist in replays only: on
// images temporal_steps and the control heads are off.
struct ssl_options {
    int64_t batch;           // samples a step
    int optimizer;           // enum optimizer_kind
    double lr;               // peak rate
    double decay;            // weight decay of the optimizer's own sort
    double clip_norm;        // 0 = off; encoder and heads apart
    int64_t warmup_steps;    // linear rise of the rate
    int64_t temporal_steps;  // the positive is this many steps ahead; 0 = the same frame
    bool action_conditioned; // predictors see the actions between (needs temporal_steps > 0)
    double inverse_weight;   // weight of predicting the action from z_t, z_t+1
    double reward_weight;    // weight of predicting the reward from z_t, a_t
    double forward_weight;   // weight of predicting the momentum latent of t+1 from z_t, a_t
    double target_decay;     // momentum of the target copies; a method's schedule may raise it
    int64_t shift_pad;       // random shift in pixels (control)
    int augment;             // enum ssl_augment
    double crop_min;         // crop: smallest share of the picture's area
    double jitter;           // crop: strength of brightness, contrast and saturation changes
    double gray;             // crop: chance of dropping the colour
    double blur;             // crop: chance of a Gaussian blur
    bool flip;               // crop: mirror half of the pictures
    int64_t monitor_every;   // steps between effective ranks and checks for collapse
    int64_t total_steps;     // length of schedules (rate and momentum, cosine); 0 = constant
};
enum ssl_augment { SSL_AUGMENT_SHIFT, SSL_AUGMENT_CROP, SSL_AUGMENT_NONE };
extern const struct opt_table ssl_opts;

// Where samples come from: a replay (running, or recorded rollouts), or images.
struct ssl_source {
    const struct replay *replay; // frames, actions, rewards; NULL for images
    struct replay_window window; // of the replay
    const uint8_t *images;       // (count, H, W, C), replay NULL
    int64_t count;
};

// What a method sees. Views are (n, H, W, C) u8 and live until the step ends. view[0] and view[1]
// are the two global views (anchor, positive), or, for methods that want a sequence, view[0..steps]
// the moments from the anchor on; n_local local crops of the anchor follow.
struct ssl_batch {
    int n, n_views, n_global, n_local;
    const uint8_t *view[SSL_MAX_VIEWS];
    const real *valid;    // (n): 1, or 0 where the episode ends before the positive
    const int64_t *index; // stable id of each anchor, below ssl->index_count: for memory banks
    const real *actions;  // (n, ssl->action_width): those between anchor and positive, or NULL
};

struct ssl;

struct ssl_ops {
    const char *name, *summary, *paper;
    const char *collapse_hint; // what to look at on collapse; NULL: the method cannot collapse
    struct opt_table opts;     // section = name
    size_t options_bytes, state_bytes;
    bool uses_target;  // wants target_encoder and target_heads kept by momentum
    bool encodes_both; // gradients flow through the positive too, temporal or not
    bool one_way;      // from anchor to positive only, also where both are views of one moment
    bool uses_query;   // calls ssl_query
    bool sequence;     // wants all moments up to temporal_steps; replays only
    bool vit_only;     // needs patch tokens (mae)

    // Registers heads in ssl->heads; ssl->state is zeroed, state_bytes long.
    enum rl_status (*create)(struct ssl *ssl, struct rl_error *err);
    int (*local_views)(const struct ssl *ssl); // crops wanted after the two global views; or NULL
    // Scalar loss; may add metrics. Uses ssl->tape, ssl->encoder, ssl->heads.
    struct tensor *(*loss)(struct ssl *ssl, const struct ssl_batch *batch, struct metrics *metrics);
    void (*after_step)(struct ssl *ssl,
                       const struct ssl_batch *batch); // queue, bank, centre; or NULL
    double (*chance)(const struct ssl *ssl); // loss of a collapsed or uniform encoder; NULL: none
    void (*visit)(struct ssl *ssl, struct state_visitor *visitor); // its own state; or NULL
    void (*destroy)(struct ssl *ssl);                              // or NULL
    double (*target_decay)(const struct ssl *ssl); // at this step; NULL = ssl_options.target_decay
};

struct ssl {
    const struct ssl_ops *ops;
    struct ssl_options common;
    void *options;                              // the method's own
    void *state;                                // the method's own
    struct encoder *encoder;                    // borrowed; its params are trained
    struct params heads;                        // projector, predictor, prototypes, control heads
    struct params target_encoder, target_heads; // momentum copies
    struct optimizer encoder_optimizer, heads_optimizer;
    struct tape *tape;
    struct rng rng;                   // samples, augmentation, masks
    const struct gradient_sync *sync; // other ranks; NULL: none
    int action_dim;
    int action_width;    // of what predictors see: steps * action_dim, or 0
    int64_t index_count; // as in ssl_spec
    size_t extra_bytes;  // of the tape: set by create for tensors that do not come from a weight
    int64_t step;
    void *driver; // private to ssl.c
};

struct ssl_spec {
    int action_dim;      // 0: images
    int64_t index_count; // capacity of the replay or number of images: sizes memory banks
    uint64_t seed;
};

// Keeps encoder. NULL + err.
struct ssl *ssl_create(const char *name, const struct ssl_spec *spec, struct encoder *encoder,
                       struct config *config, struct pool *pool, struct rl_error *err);
void ssl_destroy(struct ssl *ssl);

// One SSL step on a batch from source (which holds a transition, or an image): gradients into
// encoder and heads, optimizer steps, momentum update, monitors. Metrics: loss, chance, std (of
// normalised embeddings; 1/sqrt(d) is healthy: std_healthy), cosine (mean off-diagonal), rank and
// latent_rank (effective; every monitor_every steps), latent_std (unnormalised), grad_norm, and the
// control heads' losses.
RL_CHECKED enum rl_status ssl_update(struct ssl *ssl, const struct ssl_source *source,
                                     struct metrics *metrics, struct rl_error *err);
// Everything but the encoder's online weights (their owner visits those).
void ssl_visit(struct ssl *ssl, const char *prefix, struct state_visitor *visitor);

const struct ssl_ops *ssl_find(const char *name);
int ssl_count(void);
const struct ssl_ops *ssl_at(int index);
