#include "ssl/control.h"

#define HIDDEN 256

void control_create(struct control *control, struct ssl *ssl, int span) {
    const struct ssl_options *common = &ssl->common;
    int latent = ssl->encoder->out_dim, actions = span * ssl->action_dim;
    struct init init = {INIT_FAN_IN, 0};
    *control = (struct control){0};
    if (common->inverse_weight > 0) {
        control->inverse = mlp_add(&ssl->heads, "inverse", 3, (int[]){2 * latent, HIDDEN, actions},
                                   ACTIVATION_RELU, init);
    }
    if (common->reward_weight > 0) {
        control->reward = mlp_add(&ssl->heads, "reward", 3, (int[]){latent + actions, HIDDEN, 1},
                                  ACTIVATION_RELU, init);
    }
    if (common->forward_weight > 0) {
        control->forward =
            mlp_add(&ssl->heads, "forward", 3, (int[]){latent + actions, HIDDEN, latent},
                    ACTIVATION_RELU, init);
    }
    control->needs_next = common->inverse_weight > 0 || common->forward_weight > 0;
}

static struct tensor *add_term(struct ssl *ssl, struct tensor *total, struct tensor *term,
                               double weight, const char *name, struct metrics *metrics) {
    metrics_add(metrics, name, term->data[0]);
    term = op_affine(ssl->tape, term, weight, 0);
    return total ? op_add(ssl->tape, total, term) : term;
}

struct tensor *control_loss(const struct control *control, struct ssl *ssl,
                            const struct sampler *sampler, int next, struct metrics *metrics) {
    const struct ssl_options *common = &ssl->common;
    const struct ssl_batch *batch = &sampler->batch;
    struct tape *tape = ssl->tape;
    if (!control->needs_next && common->reward_weight <= 0) return NULL;
    int n = batch->n, width = sampler->spec.span * ssl->action_dim;
    struct tensor *now = ssl_online(ssl, batch, 0), *total = NULL, *after = NULL;
    struct tensor *actions = tape_input_2d(tape, sampler->actions, n, width);
    struct tensor *both = op_concat(tape, now, actions);
    if (control->needs_next)
        after = ssl->ops->uses_target ? ssl_target(ssl, batch, next) : ssl_online(ssl, batch, next);
    if (common->inverse_weight > 0) {
        struct tensor *guess =
            mlp(tape, &ssl->heads, &control->inverse, op_concat(tape, now, after));
        total = add_term(ssl, total, op_mse(tape, guess, actions), common->inverse_weight,
                         "inverse_loss", metrics);
    }
    if (common->reward_weight > 0) {
        struct tensor *guess = mlp(tape, &ssl->heads, &control->reward, both);
        struct tensor *rewards = tape_input_2d(tape, sampler->rewards, n, 1);
        total = add_term(ssl, total, op_mse(tape, guess, rewards), common->reward_weight,
                         "reward_loss", metrics);
    }
    if (common->forward_weight > 0) {
        struct tensor *guess = mlp(tape, &ssl->heads, &control->forward, both);
        total = add_term(ssl, total, op_mse(tape, guess, op_detach(tape, after)),
                         common->forward_weight, "forward_loss", metrics);
    }
    return total;
}
