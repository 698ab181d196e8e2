// DINO (Caron et al. 2021): the student matches the momentum teacher's centred and sharpened
// distribution over prototypes, across views; local crops are seen by the student only. Centring
// keeps one prototype from winning, sharpening keeps them from becoming equal.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ssl/method.h"

struct dino_options {
    int64_t hidden, bottleneck, prototypes, local_crops, freeze_steps, teacher_warmup;
    double student_temp, teacher_temp, teacher_temp_start, center_momentum;
    int norm;
    bool centring;
};

#define T struct dino_options
static const struct opt_spec specs[] = {
    OPT_ROW_INT(T, hidden, "256", 1, 65536, "hidden units of the head (paper: 2048)"),
    OPT_ROW_INT(T, bottleneck, "64", 1, 65536, "width before the prototypes (paper: 256)"),
    OPT_ROW_INT(T, prototypes, "512", 2, 1 << 20, "outputs (paper: 65536)"),
    OPT_ROW_INT(T, local_crops, "0", 0, SSL_MAX_VIEWS - 3,
                "small crops for the student (paper: 8)"),
    OPT_ROW_INT(T, freeze_steps, "0", 0, 1e12, "SSL steps with frozen prototypes (paper: 1 epoch)"),
    OPT_ROW_INT(T, teacher_warmup, "0", 0, 1e12,
                "SSL steps from teacher_temp_start to teacher_temp"),
    OPT_ROW_REAL(T, student_temp, "0.1", 1e-3, 100, "temperature of the student"),
    OPT_ROW_REAL(T, teacher_temp, "0.04", 1e-3, 100, "temperature of the teacher"),
    OPT_ROW_REAL(T, teacher_temp_start, "0.04", 1e-3, 100, "the same at the first step"),
    OPT_ROW_REAL(T, center_momentum, "0.9", 0, 1, "of the centre"),
    OPT_ROW_CHOICE(T, norm, "batch", head_norm_names, "norm in the head (paper: none for ViT)"),
    OPT_ROW_BOOL(T, centring, "true", "take the centre away; without it DINO collapses"),
    OPT_END};
#undef T

struct dino {
    struct head head;
    int prototypes; // (prototypes, bottleneck), used with rows of length 1
    real *center, *next_center;
};

static int local_views(const struct ssl *ssl) {
    return (int)((const struct dino_options *)ssl->options)->local_crops;
}

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    (void)err;
    const struct dino_options *options = ssl->options;
    struct dino *dino = ssl->state;
    int width = (int)options->bottleneck, k = (int)options->prototypes;
    struct head_spec spec =
        head_mlp(3, ssl->encoder->out_dim, (int)options->hidden, width, options->norm);
    spec.last_bias = true;
    spec.activation = ACTIVATION_GELU;
    dino->head = head_add(&ssl->heads, "head", &spec);
    dino->prototypes = params_add(&ssl->heads, "prototypes.weight", 2, (int[]){k, width},
                                  (struct init){INIT_TRUNC_NORMAL, 0.02}, width, k);
    dino->center = MEM_ARRAY(real, k);
    dino->next_center = MEM_ARRAY(real, k);
    return RL_OK;
}

// Scores (n, prototypes) of latents.
static struct tensor *score(struct ssl *ssl, const struct params *params, struct tensor *latents) {
    const struct dino_options *options = ssl->options;
    const struct dino *dino = ssl->state;
    struct tape *tape = ssl->tape;
    struct tensor *x = loss_unit(tape, head(tape, params, &dino->head, latents));
    struct tensor *rows = tape_param(tape, params, dino->prototypes);
    if (ssl->step < options->freeze_steps) rows = op_detach(tape, rows);
    return op_matmul(tape, x, false, loss_unit(tape, rows), true);
}

static double teacher_temperature(const struct ssl *ssl) {
    const struct dino_options *options = ssl->options;
    return schedule_linear(options->teacher_temp_start, options->teacher_temp,
                           options->teacher_warmup, ssl->step);
}

// Targets of the two global views (of the positive alone when views are moments), and the next
// centre.
static void teach(struct ssl *ssl, const struct ssl_batch *batch, struct tensor **target,
                  struct metrics *metrics) {
    const struct dino_options *options = ssl->options;
    struct dino *dino = ssl->state;
    struct tape *tape = ssl->tape;
    bool recording = tape_set_recording(tape, false);
    struct tensor *all = NULL;
    for (int v = ssl_temporal(ssl) ? 1 : 0; v < 2; v++) {
        struct tensor *t = score(ssl, &ssl->target_heads, ssl_target(ssl, batch, v));
        target[v] = loss_sharpen(tape, t, dino->center, teacher_temperature(ssl));
        all = all ? op_concat_rows(tape, all, t) : t;
    }
    ssl_watch(ssl, target[1]); // the same for every input when one prototype wins or all are equal
    loss_center(all, dino->center, options->center_momentum, dino->next_center);
    double entropy = 0;
    for (size_t i = 0; i < target[1]->count; i++) {
        double p = target[1]->data[i];
        if (p > 0) entropy -= p * log(p) / batch->n;
    }
    metrics_add(metrics, "teacher_entropy", entropy);
    tape_set_recording(tape, recording);
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    const struct dino_options *options = ssl->options;
    struct tensor *target[2] = {NULL}, *student[SSL_MAX_VIEWS] = {NULL};
    teach(ssl, batch, target, metrics);
    student[0] = score(ssl, &ssl->heads, ssl_query(ssl, batch));
    if (!ssl_temporal(ssl)) student[1] = score(ssl, &ssl->heads, ssl_online(ssl, batch, 1));
    int n_students = 2 + batch->n_local;
    for (int v = 2; v < n_students; v++)
        student[v] = score(ssl, &ssl->heads, ssl_online(ssl, batch, v));
    return loss_assignments(ssl->tape, target, 2, student, n_students, options->student_temp);
}

static void after_step(struct ssl *ssl, const struct ssl_batch *batch) {
    (void)batch;
    const struct dino_options *options = ssl->options;
    struct dino *dino = ssl->state;
    if (options->centring)
        memcpy(dino->center, dino->next_center, (size_t)options->prototypes * sizeof(real));
}

static double chance(const struct ssl *ssl) {
    return log((double)((const struct dino_options *)ssl->options)->prototypes);
}

static void visit(struct ssl *ssl, struct state_visitor *visitor) {
    const struct dino_options *options = ssl->options;
    struct dino *dino = ssl->state;
    state_bytes(visitor, "center", dino->center, (size_t)options->prototypes * sizeof(real));
}

static void destroy(struct ssl *ssl) {
    struct dino *dino = ssl->state;
    mem_free(dino->center);
    mem_free(dino->next_center);
}

const struct ssl_ops ssl_dino = {
    .name = "dino",
    .summary = "self-distillation over prototypes, centred and sharpened",
    .paper = "Caron et al. 2021, arXiv 2104.14294",
    .collapse_hint =
        "dino.centring must be on and dino.teacher_temp below student_temp; try a higher "
        "ssl.target_decay",
    .opts = {"dino", specs},
    .options_bytes = sizeof(struct dino_options),
    .state_bytes = sizeof(struct dino),
    .uses_target = true,
    .uses_query = true,
    .create = create,
    .local_views = local_views,
    .loss = loss,
    .after_step = after_step,
    .chance = chance,
    .visit = visit,
    .destroy = destroy,
    .target_decay = ssl_cosine_decay,
};
