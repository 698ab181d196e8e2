#include "train/explore.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "density/density.h"
#include "nn/layers.h"

#define BITS        4    // of a number's thermometer
#define SPREAD      2.0  // its ends, in standard deviations
#define MARGIN      0.02 // of brightness above the mean that counts as brighter
#define PROGRESS    0.1  // c of the pseudo-count
#define CLIP        5.0  // of standardised numbers
#define RND_OUTPUTS 32

static const char *const bonus_names[] = {"none", "density", "rnd", NULL};
static const char *const input_names[] = {"observation", "latents", NULL};
#define T struct explore_options
static const struct opt_spec specs[] = {
    OPT_ROW_CHOICE(T, bonus, "none", bonus_names,
                   "added to the reward in training: pseudo-counts of a density model, or random "
                   "network distillation"),
    OPT_ROW_CHOICE(T, input, "observation", input_names,
                   "what is novel: the task's states or newest frame, or the encoder's latents"),
    OPT_ROW_REAL(T, weight, "0.1", 0, 1e6, "of the bonus, whose root mean square is 1"),
    OPT_ROW_INT(T, decay, "0", 0, 1e12,
                "agent steps in which the weight falls to 0, linearly; 0 = it stays"),
    OPT_ROW_STRING(T, model, "nade", "density model: bernoulli, fvsbn, nade or made"),
    OPT_ROW_INT(T, hidden, "64", 1, 4096, "hidden units of nade, made and rnd's networks"),
    OPT_ROW_INT(T, size, "12", 4, 64, "side of the picture that a frame is shrunk to"),
    OPT_ROW_REAL(T, lr, "0.02", 1e-8, 10,
                 "rate: of plain gradient steps (density), a twentieth of it of Adam's (rnd)"),
    OPT_END,
};
#undef T
const struct opt_table explore_opts = {"explore", specs};

struct rnd {
    struct params target, params; // fixed, learning
    struct mlp target_net, net;
    struct optimizer optimizer;
    struct tape *tape;
};

struct explore {
    struct explore_options options;
    struct explore_dims dims;
    bool picture;        // frames, one bit a pixel; else BITS a number
    int n;               // numbers of an observation
    double *mean, *sum2; // (n), of all seen
    double *value;       // (n)
    int64_t seen;
    double square_sum; // of the bonuses
    int64_t bonuses;
    struct density *density; // or
    struct rnd *rnd;
    uint8_t *bits; // (D)
    real *row;     // (n)
};

// --- what is seen ---

static void read_frame(struct explore *explore, const uint8_t *frame) {
    const int *dim = explore->dims.frame;
    int h = dim[0], w = dim[1], c = dim[2];
    int size = (int)explore->options.size;
    for (int i = 0; i < size * size; i++) {
        int top = i / size * h / size, bottom = (i / size + 1) * h / size;
        int left = i % size * w / size, right = (i % size + 1) * w / size;
        int64_t sum = 0;
        for (int y = top; y < bottom; y++) {
            for (int k = left * c; k < right * c; k++) sum += frame[(size_t)y * w * c + k];
        }
        explore->value[i] = (double)sum / (255.0 * (bottom - top) * (right - left) * c);
    }
}

static bool read_values(struct explore *explore, const struct explore_seen *seen) {
    if (explore->picture) {
        read_frame(explore, seen->frame);
    } else if (explore->options.input == EXPLORE_OBSERVATION) {
        memcpy(explore->value, seen->obs, (size_t)explore->n * sizeof *seen->obs);
    } else if (seen->latent) {
        for (int i = 0; i < explore->n; i++) explore->value[i] = (double)seen->latent[i];
    } else {
        return false;
    }
    return true;
}

// Running mean and sum of squared deviations (Welford 1962).
static void take_in(struct explore *explore) {
    explore->seen++;
    for (int i = 0; i < explore->n; i++) {
        double off = explore->value[i] - explore->mean[i];
        explore->mean[i] += off / (double)explore->seen;
        explore->sum2[i] += off * (explore->value[i] - explore->mean[i]);
    }
}

static double standardised(const struct explore *explore, int i) {
    double deviation = sqrt(explore->sum2[i] / (double)explore->seen);
    return (explore->value[i] - explore->mean[i]) / (deviation + 1e-8);
}

static void binarise(struct explore *explore) {
    for (int i = 0; i < explore->n; i++) {
        if (explore->picture) {
            explore->bits[i] = explore->value[i] > explore->mean[i] + MARGIN;
            continue;
        }
        double z = standardised(explore, i);
        for (int k = 0; k < BITS; k++)
            explore->bits[i * BITS + k] = z > SPREAD * (2.0 * k / (BITS - 1) - 1);
    }
}

// --- the two bonuses ---

static enum rl_status density_bonus(struct explore *explore, double *bonus, struct metrics *metrics,
                                    struct rl_error *err) {
    double before, after, nll;
    binarise(explore);
    density_log_prob(explore->density, 1, explore->bits, NULL, &before);
    enum rl_status status = density_update(explore->density, 1, explore->bits, NULL, 1, &nll, err);
    if (status != RL_OK) return status;
    density_log_prob(explore->density, 1, explore->bits, NULL, &after);
    double progress = PROGRESS * fmax(after - before, 0) / sqrt((double)explore->seen);
    // (N + 0.01)^-1/2 with N = 1 / (e^progress - 1), which may be infinite.
    double gain = expm1(fmin(progress, 50));
    *bonus = sqrt(gain / (1 + 0.01 * gain));
    metrics_add(metrics, "explore_nll", -before);
    return RL_OK;
}

static enum rl_status rnd_bonus(struct explore *explore, double *bonus, struct metrics *metrics,
                                struct rl_error *err) {
    struct rnd *rnd = explore->rnd;
    for (int i = 0; i < explore->n; i++)
        explore->row[i] = (real)fmax(-CLIP, fmin(CLIP, standardised(explore, i)));
    tape_reset(rnd->tape);
    struct tensor *x = tape_input_2d(rnd->tape, explore->row, 1, explore->n);
    struct tensor *target = mlp(rnd->tape, &rnd->target, &rnd->target_net, x);
    struct tensor *loss = op_mse(rnd->tape, mlp(rnd->tape, &rnd->params, &rnd->net, x), target);
    *bonus = (double)loss->data[0];
    metrics_add(metrics, "explore_error", *bonus);
    tape_backward(rnd->tape, loss);
    return optimizer_step(&rnd->optimizer, NULL, 1, NULL, err);
}

enum rl_status explore_step(struct explore *explore, const struct explore_seen *seen, int64_t step,
                            double *bonus, struct metrics *metrics, struct rl_error *err) {
    *bonus = 0;
    if (!explore || !read_values(explore, seen)) return RL_OK;
    take_in(explore);
    double own;
    enum rl_status status = explore->density ? density_bonus(explore, &own, metrics, err)
                                             : rnd_bonus(explore, &own, metrics, err);
    if (status != RL_OK) return rl_fail_context(err, "exploration bonus");
    explore->bonuses++;
    explore->square_sum += own * own;
    double rms = sqrt(explore->square_sum / (double)explore->bonuses);
    int64_t decay = explore->options.decay;
    double left = decay ? fmax(0, 1 - (double)step / (double)decay) : 1;
    *bonus = rms > 0 ? explore->options.weight * left * own / rms : 0;
    metrics_add(metrics, "explore_bonus", *bonus);
    return RL_OK;
}

// --- creation ---

static struct rnd *rnd_create(int n, int hidden, double lr, uint64_t seed, struct rl_error *err) {
    struct rnd *rnd = MEM_NEW(struct rnd);
    struct init init = {INIT_ORTHOGONAL, sqrt(2)};
    struct rng rng = rng_fork(seed, "rnd");
    rnd->target_net =
        mlp_add(&rnd->target, "target", 3, (int[]){n, hidden, RND_OUTPUTS}, ACTIVATION_RELU, init);
    rnd->net = mlp_add(&rnd->params, "predictor", 4, (int[]){n, hidden, hidden, RND_OUTPUTS},
                       ACTIVATION_RELU, init);
    params_finish(&rnd->target, false, &rng);
    params_finish(&rnd->params, true, &rng);
    optimizer_init(&rnd->optimizer, &rnd->params, optimizer_adam(lr));
    size_t numbers = 64 * (size_t)(n + 3 * hidden + RND_OUTPUTS);
    rnd->tape = tape_create(numbers * sizeof(real) + ((size_t)1 << 16), NULL, err);
    return rnd;
}

static struct density *model_create(const struct explore_options *options, int height, int width,
                                    uint64_t seed, struct rl_error *err) {
    if (!strcmp(options->model, "pixelcnn")) {
        rl_fail(err, RL_EUSAGE, "explore.model pixelcnn is too slow for every step: use nade");
        return NULL;
    }
    struct density_spec spec = {.height = height, .width = width, .batch = 1, .seed = seed};
    spec.hyper = (struct optimizer_hyper){.kind = OPTIMIZER_SGD, .lr = options->lr};
    struct config config = {0};
    char hidden[32];
    snprintf(hidden, sizeof hidden, "%lld", (long long)options->hidden);
    config_add(&config, "nade", "hidden", hidden, "explore.hidden", false);
    config_add(&config, "made", "hidden", hidden, "explore.hidden", false);
    config_add(&config, "made", "layers", "1", "explore", false);
    struct density *density = density_create(options->model, &spec, &config, NULL, err);
    config_release(&config);
    return density;
}

static enum rl_status check_input(const struct explore_options *options,
                                  const struct explore_dims *dims, struct rl_error *err) {
    bool latents = options->input == EXPLORE_LATENTS;
    int size = (int)options->size;
    if (latents && !dims->latent)
        return rl_fail(err, RL_EUSAGE,
                       "explore.input latents needs an encoder that learns beside the policy "
                       "(--encoder cnn+byol, say); this run has no latents");
    if (!latents && !dims->obs && (dims->frame[0] < size || dims->frame[1] < size))
        return rl_fail(err, RL_EUSAGE, "explore.size %d is more than the frames' %dx%d", size,
                       dims->frame[0], dims->frame[1]);
    return RL_OK;
}

enum rl_status explore_create(struct explore **out, const struct explore_options *options,
                              const struct explore_dims *dims, uint64_t seed,
                              struct rl_error *err) {
    *out = NULL;
    if (options->bonus == EXPLORE_NONE) return RL_OK;
    enum rl_status status = check_input(options, dims, err);
    if (status != RL_OK) return status;
    bool latents = options->input == EXPLORE_LATENTS;
    int size = (int)options->size;
    struct explore *explore = *out = MEM_NEW(struct explore);
    explore->options = *options;
    explore->dims = *dims;
    explore->picture = !latents && !dims->obs;
    int n = explore->n = latents ? dims->latent : dims->obs ? dims->obs : size * size;
    explore->mean = MEM_ARRAY(double, n);
    explore->sum2 = MEM_ARRAY(double, n);
    explore->value = MEM_ARRAY(double, n);
    explore->row = MEM_ARRAY(real, n);
    explore->bits = mem_alloc((size_t)n * BITS);
    if (options->bonus == EXPLORE_RND) {
        explore->rnd = rnd_create(n, (int)options->hidden, options->lr / 20, seed, err);
        if (explore->rnd->tape) return RL_OK;
    } else {
        explore->density = explore->picture ? model_create(options, size, size, seed, err)
                                            : model_create(options, 1, n * BITS, seed, err);
        if (explore->density) return RL_OK;
    }
    explore_destroy(explore);
    *out = NULL;
    return err->code;
}

void explore_destroy(struct explore *explore) {
    if (!explore) return;
    density_destroy(explore->density);
    if (explore->rnd) {
        tape_destroy(explore->rnd->tape);
        optimizer_release(&explore->rnd->optimizer);
        params_release(&explore->rnd->params);
        params_release(&explore->rnd->target);
        mem_free(explore->rnd);
    }
    mem_free(explore->mean);
    mem_free(explore->sum2);
    mem_free(explore->value);
    mem_free(explore->row);
    mem_free(explore->bits);
    mem_free(explore);
}

void explore_visit(struct explore *explore, const char *prefix, struct state_visitor *visitor) {
    if (!explore) return;
    size_t mark = state_enter(visitor, prefix), bytes = (size_t)explore->n * sizeof(double);
    state_bytes(visitor, "mean", explore->mean, bytes);
    state_bytes(visitor, "sum2", explore->sum2, bytes);
    state_field(visitor, explore, seen);
    state_field(visitor, explore, square_sum);
    state_field(visitor, explore, bonuses);
    if (explore->density) density_visit(explore->density, "density", visitor);
    if (explore->rnd) {
        state_params(visitor, "target", &explore->rnd->target);
        state_params(visitor, "predictor", &explore->rnd->params);
        optimizer_visit(&explore->rnd->optimizer, "optimizer", visitor);
    }
    state_leave(visitor, mark);
}
