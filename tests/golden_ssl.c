// Every self-supervised loss of the golden data: values, gradients, and what is kept between steps.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "density/likelihood.h"
#include "density/nade_logits.h"
#include "ssl/bank.h"
#include "ssl/gru.h"
#include "ssl/losses.h"
#include "ssl/patches.h"
#include "support/golden.h"

#define VALUE    1e-5
#define GRADIENT 1e-4
#define MAX_KEYS 24

// One case while it is checked: a tape, and the inputs read so far.
struct run {
    const struct golden_case *golden;
    struct tape *tape;
    const char *keys[MAX_KEYS];
    struct tensor *inputs[MAX_KEYS];
    int n_inputs;
};

static double hyper(const struct run *run, const char *name) {
    const json_t *value = json_object_get(json_object_get(run->golden->entry, "hyper"), name);
    if (!value) fail_msg("%s: no hyperparameter '%s'", run->golden->path, name);
    return json_is_boolean(value) ? json_is_true(value) : json_number_value(value);
}

static real *values_of(struct run *run, const char *key) {
    const struct st_tensor *tensor = golden_tensor(run->golden, key);
    real *values = ARENA_ARRAY(tape_arena(run->tape), real, tensor->count);
    for (int64_t i = 0; i < tensor->count; i++) values[i] = (real)st_get(tensor, i);
    return values;
}

static int64_t *indices_of(struct run *run, const char *key) {
    const struct st_tensor *tensor = golden_tensor(run->golden, key);
    int64_t *values = ARENA_ARRAY(tape_arena(run->tape), int64_t, tensor->count);
    for (int64_t i = 0; i < tensor->count; i++) values[i] = (int64_t)st_get(tensor, i);
    return values;
}

// "in.NAME" as a variable whose gradient is compared at the end with "grad.NAME", when that exists.
static struct tensor *variable(struct run *run, const char *name) {
    char key[64];
    snprintf(key, sizeof key, "in.%s", name);
    const struct st_tensor *tensor = golden_tensor(run->golden, key);
    int dim[TENSOR_MAX_DIMS];
    for (int i = 0; i < tensor->ndim; i++) dim[i] = (int)tensor->dim[i];
    assert_true(run->n_inputs < MAX_KEYS);
    struct tensor *x = tape_variable(run->tape, values_of(run, key), tensor->ndim, dim);
    run->keys[run->n_inputs] = name;
    run->inputs[run->n_inputs++] = x;
    return x;
}

static struct tensor *fixed(struct run *run, const char *name) {
    return op_detach(run->tape, variable(run, name));
}

static void near(const struct run *run, const char *key, const struct tensor *x) {
    golden_near_float(run->golden, key, x->data, (int64_t)x->count, VALUE, 1e-7);
}

// The loss, then the gradients of all inputs.
static void finish(struct run *run, struct tensor *loss) {
    near(run, "out.loss", loss);
    tape_backward(run->tape, loss);
    for (int i = 0; i < run->n_inputs; i++) {
        char key[64];
        snprintf(key, sizeof key, "grad.%s", run->keys[i]);
        if (!st_find(&run->golden->data, key)) continue;
        struct tensor *x = run->inputs[i];
        golden_near_float(run->golden, key, x->grad, (int64_t)x->count, GRADIENT, 1e-8);
    }
}

static void check_byol(struct run *run) {
    struct tape *tape = run->tape;
    struct tensor *a = loss_regression_rows(tape, variable(run, "p1"), fixed(run, "z2"));
    struct tensor *b = loss_regression_rows(tape, variable(run, "p2"), fixed(run, "z1"));
    struct tensor *rows = op_add(tape, a, b);
    near(run, "out.per_sample", rows);
    finish(run, op_mean(tape, rows));
}

static void check_simsiam(struct run *run) {
    struct tape *tape = run->tape;
    struct tensor *a = loss_negative_cosine(tape, variable(run, "p1"), fixed(run, "z2"));
    struct tensor *b = loss_negative_cosine(tape, variable(run, "p2"), fixed(run, "z1"));
    finish(run, op_affine(tape, op_add(tape, a, b), 0.5, 0));
}

static void check_infonce(struct run *run) {
    struct tape *tape = run->tape;
    struct tensor *q = variable(run, "q"), *k = variable(run, "k");
    if (hyper(run, "normalize") != 0) {
        q = loss_unit(tape, q);
        k = loss_unit(tape, k);
    }
    finish(run, loss_infonce(tape, q, k, hyper(run, "temperature")));
}

static void check_simclr(struct run *run) {
    struct tensor *z1 = variable(run, "z1"), *z2 = variable(run, "z2");
    finish(run, loss_ntxent(run->tape, z1, z2, hyper(run, "temperature")));
}

// The stored logits have their row's maximum taken away.
static void near_logits(struct run *run, const struct tensor *scores) {
    struct tensor *logits = tape_new(run->tape, 2, scores->dim, false);
    for (int i = 0; i < scores->dim[0]; i++) {
        const real *row = scores->data + (size_t)i * scores->dim[1];
        real largest = row[0];
        for (int j = 1; j < scores->dim[1]; j++) largest = row[j] > largest ? row[j] : largest;
        for (int j = 0; j < scores->dim[1]; j++)
            logits->data[(size_t)i * scores->dim[1] + j] = row[j] - largest;
    }
    near(run, "out.logits", logits);
}

static void check_curl(struct run *run) {
    struct tensor *a = variable(run, "z_a"), *w = variable(run, "W"), *k = fixed(run, "z_pos");
    struct tensor *scores = loss_bilinear_scores(run->tape, a, w, k);
    near_logits(run, scores);
    finish(run, loss_diagonal(run->tape, scores, NULL));
}

static void check_atc(struct run *run) {
    struct tape *tape = run->tape;
    struct tensor *anchor = variable(run, "anchor");
    struct tensor *h =
        op_linear(tape, anchor, variable(run, "mlp0_weight"), variable(run, "mlp0_bias"), true);
    h = op_linear(tape, h, variable(run, "mlp1_weight"), variable(run, "mlp1_bias"), false);
    struct tensor *a = op_add(tape, anchor, h), *w = variable(run, "W");
    // W a, where CURL has a W
    struct tensor *scores =
        op_matmul(tape, op_matmul(tape, a, false, w, true), false, fixed(run, "positive"), true);
    near_logits(run, scores);
    finish(run, loss_diagonal(tape, scores, values_of(run, "in.valid")));
}

static void check_moco(struct run *run) {
    struct tape *tape = run->tape;
    const struct st_tensor *stored = golden_tensor(run->golden, "in.queue");
    struct queue queue = {.rows = values_of(run, "in.queue"),
                          .size = (int)stored->dim[0],
                          .dim = (int)stored->dim[1],
                          .at = indices_of(run, "in.queue_ptr")[0]};
    struct tensor *q1 = loss_unit(tape, variable(run, "q1"));
    struct tensor *k1 = loss_unit(tape, fixed(run, "k1"));
    double temperature = hyper(run, "temperature");
    struct tensor *first = loss_queue(tape, q1, k1, queue.rows, queue.size, temperature);
    near(run, "out.loss1", first);
    // The second step sees another queue, while the first one's rows are still needed backward.
    size_t bytes = (size_t)queue.size * queue.dim * sizeof(real);
    queue.rows =
        memcpy(ARENA_ARRAY(tape_arena(tape), real, bytes / sizeof(real)), queue.rows, bytes);
    queue_push(&queue, k1->data, k1->dim[0]);
    golden_near_float(run->golden, "out.queue_after1", queue.rows, queue.size * queue.dim, VALUE,
                      0);
    struct tensor *q2 = loss_unit(tape, variable(run, "q2"));
    struct tensor *k2 = loss_unit(tape, fixed(run, "k2"));
    struct tensor *second = loss_queue(tape, q2, k2, queue.rows, queue.size, temperature);
    near(run, "out.loss2", second);
    finish(run, op_add(tape, first, second));
    queue_push(&queue, k2->data, k2->dim[0]);
    golden_near_float(run->golden, "out.queue_after2", queue.rows, queue.size * queue.dim, VALUE,
                      0);
    assert_int_equal(queue.at, indices_of(run, "out.queue_ptr_after")[0]);
}

static struct tensor *instdisc_step(struct run *run, struct bank *bank, struct tensor *x,
                                    const char *y_key, const char *index_key, bool nce) {
    double temperature = hyper(run, "temperature");
    if (!nce) return bank_softmax(run->tape, bank, x, indices_of(run, y_key), temperature);
    int count = (int)golden_tensor(run->golden, index_key)->dim[1];
    return bank_nce(run->tape, bank, x, indices_of(run, index_key), count, temperature);
}

static void check_instdisc(struct run *run, bool nce) {
    struct tape *tape = run->tape;
    const struct st_tensor *stored = golden_tensor(run->golden, "in.memory");
    struct bank bank = {
        .rows = values_of(run, "in.memory"), .size = stored->dim[0], .dim = (int)stored->dim[1]};
    double momentum = hyper(run, "momentum");
    int64_t count = bank.size * bank.dim;
    struct tensor *x1 = variable(run, "x1"), *x2 = variable(run, "x2");
    struct tensor *first = instdisc_step(run, &bank, x1, "in.y1", "in.idx1", nce);
    near(run, "out.loss1", first);
    if (nce) golden_near(run->golden, "out.Z", &bank.z, 1, VALUE, 0);
    struct bank next = bank;
    next.rows = memcpy(ARENA_ARRAY(tape_arena(tape), real, count), bank.rows, count * sizeof(real));
    bank_update(&next, x1->data, indices_of(run, "in.y1"), x1->dim[0], momentum);
    golden_near_float(run->golden, "out.memory_after1", next.rows, count, VALUE, 0);
    struct tensor *second = instdisc_step(run, &next, x2, "in.y2", "in.idx2", nce);
    near(run, "out.loss2", second);
    finish(run, op_add(tape, first, second));
    bank_update(&next, x2->data, indices_of(run, "in.y2"), x2->dim[0], momentum);
    golden_near_float(run->golden, "out.memory_after2", next.rows, count, VALUE, 0);
}

static void check_hadsell(struct run *run) {
    struct tensor *x1 = variable(run, "x1"), *x2 = variable(run, "x2");
    finish(run, loss_margin(run->tape, x1, x2, values_of(run, "in.y"), hyper(run, "margin")));
}

static void check_barlow(struct run *run) {
    struct tensor *z1 = variable(run, "z1"), *z2 = variable(run, "z2");
    struct tensor *correlation = loss_correlation(run->tape, z1, z2);
    near(run, "out.correlation", correlation);
    finish(run, loss_barlow(run->tape, correlation, hyper(run, "lambda")));
}

static void check_vicreg(struct run *run) {
    struct loss_vicreg weight = {hyper(run, "invariance"), hyper(run, "variance"),
                                 hyper(run, "covariance")};
    struct tensor *z1 = variable(run, "z1"), *z2 = variable(run, "z2");
    finish(run, loss_vicreg(run->tape, z1, z2, &weight));
}

// Rows crop by crop -> one tensor a crop.
static int split_crops(struct run *run, struct tensor *x, int crops, struct tensor **part) {
    int each = x->dim[0] / crops;
    for (int i = 0; i < crops; i++) part[i] = op_rows(run->tape, x, i * each, each);
    return each;
}

static struct tensor *dino_step(struct run *run, const real *center, const char *student_name,
                                const char *teacher_name, real *next_center) {
    struct tape *tape = run->tape;
    int crops = (int)hyper(run, "crops");
    struct tensor *student[16], *target[2], *teacher = fixed(run, teacher_name);
    split_crops(run, variable(run, student_name), crops, student);
    split_crops(run, teacher, 2, target);
    for (int i = 0; i < 2; i++)
        target[i] = loss_sharpen(tape, target[i], center, hyper(run, "teacher_temp"));
    loss_center(teacher, center, hyper(run, "center_momentum"), next_center);
    return loss_assignments(tape, target, 2, student, crops, hyper(run, "student_temp"));
}

static void check_dino(struct run *run) {
    int64_t k = golden_tensor(run->golden, "in.center")->count;
    real *center = values_of(run, "in.center"), next[4096];
    assert_true(k <= 4096);
    struct tensor *first = dino_step(run, center, "student1", "teacher1", next);
    near(run, "out.loss1", first);
    golden_near_float(run->golden, "out.center_after1", next, k, VALUE, 0);
    struct tensor *second = dino_step(run, next, "student2", "teacher2", center);
    near(run, "out.loss2", second);
    golden_near_float(run->golden, "out.center_after2", center, k, VALUE, 0);
    finish(run, op_add(run->tape, first, second));
}

static void check_swav(struct run *run) {
    struct tape *tape = run->tape;
    int crops = (int)hyper(run, "crops");
    struct tensor *prototypes = loss_unit(tape, fixed(run, "prototypes"));
    near(run, "out.prototypes_normalized", prototypes);
    struct tensor *scores = op_matmul(tape, variable(run, "embedding"), false, prototypes, true);
    near(run, "out.scores", scores);
    struct tensor *student[16], *target[2];
    split_crops(run, scores, crops, student);
    for (int i = 0; i < 2; i++) {
        char key[32];
        snprintf(key, sizeof key, "out.assignment_%d", i);
        target[i] = loss_sinkhorn(tape, student[i], hyper(run, "epsilon"),
                                  (int)hyper(run, "sinkhorn_iterations"));
        near(run, key, target[i]);
    }
    finish(run, loss_assignments(tape, target, 2, student, crops, hyper(run, "temperature")));
}

static void check_cpc(struct run *run, bool everything, bool recurrent) {
    struct tape *tape = run->tape;
    struct tensor *z = variable(run, "z"), *w = variable(run, "W");
    int n = z->dim[0], steps = z->dim[1], dz = z->dim[2], horizon = w->dim[0], dc = w->dim[2];
    struct tensor *zs[16], *cs[16], *ws[16];
    struct tensor *flat = op_reshape(tape, z, 2, (int[]){n, steps * dz});
    for (int t = 0; t < steps; t++) zs[t] = op_columns(tape, flat, t * dz, dz);
    struct tensor *stacked = op_reshape(tape, w, 2, (int[]){horizon * dz, dc});
    for (int k = 0; k < horizon; k++) ws[k] = op_rows(tape, stacked, k * dz, dz);
    if (recurrent) {
        static const char *const names[] = {"gru_weight_ih", "gru_weight_hh", "gru_bias_ih",
                                            "gru_bias_hh"};
        struct params params = {0};
        struct gru layer = gru_add(&params, "gru", dz, dc);
        struct rng rng = rng_seed(1);
        params_finish(&params, true, &rng);
        for (int i = 0; i < 4; i++) { // registered in this order
            char key[32];
            snprintf(key, sizeof key, "in.%s", names[i]);
            memcpy(params.value + params.items[i].offset, values_of(run, key),
                   params.items[i].count * sizeof(real));
        }
        struct tensor *h = tape_new(tape, 2, (int[]){n, dc}, false);
        memset(h->data, 0, h->count * sizeof(real));
        for (int t = 0; t < steps; t++) cs[t] = h = gru(tape, &params, &layer, zs[t], h);
        struct tensor *contexts = cs[0];
        for (int t = 1; t < steps; t++) contexts = op_concat(tape, contexts, cs[t]);
        near(run, "out.contexts", contexts);
        finish(run, loss_cpc(tape, zs, cs, steps, ws, horizon, everything));
        for (int i = 0; i < 4; i++) {
            char key[32];
            snprintf(key, sizeof key, "grad.%s", names[i]);
            golden_near_float(run->golden, key, params.grad + params.items[i].offset,
                              (int64_t)params.items[i].count, GRADIENT, 1e-8);
        }
        params_release(&params);
        return;
    }
    struct tensor *c = op_reshape(tape, variable(run, "c"), 2, (int[]){n, steps * dc});
    for (int t = 0; t < steps; t++) cs[t] = op_columns(tape, c, t * dc, dc);
    finish(run, loss_cpc(tape, zs, cs, steps, ws, horizon, everything));
}

// (B, U, places) -> rows (B * places, U)
static struct tensor *places_as_rows(struct run *run, struct tensor *x) {
    int n = x->dim[0], units = x->dim[1], places = x->dim[2];
    struct tensor *rows = NULL, *all = op_reshape(run->tape, x, 2, (int[]){n * units, places});
    for (int i = 0; i < n; i++) {
        struct tensor *own = op_transpose(run->tape, op_rows(run->tape, all, i * units, units));
        rows = rows ? op_concat_rows(run->tape, rows, own) : own;
    }
    return rows;
}

static void check_dim(struct run *run, enum loss_measure measure) {
    struct tensor *l = variable(run, "l"), *m = variable(run, "m");
    struct tensor *e_pos, *e_neg;
    struct tensor *loss = loss_infomax(run->tape, places_as_rows(run, l), places_as_rows(run, m),
                                       l->dim[0], measure, &e_pos, &e_neg);
    if (measure != LOSS_NCE) {
        near(run, "out.e_pos", e_pos);
        near(run, "out.e_neg", e_neg);
    }
    finish(run, loss);
}

static void check_mae(struct run *run) {
    struct tape *tape = run->tape;
    const struct st_tensor *stored = golden_tensor(run->golden, "in.imgs"); // (N, C, H, W)
    struct patches shape = {(int)stored->dim[0], (int)stored->dim[2], (int)stored->dim[3],
                            (int)stored->dim[1], (int)hyper(run, "patch")};
    const real *from = values_of(run, "in.imgs");
    real *pixels = ARENA_ARRAY(tape_arena(tape), real, stored->count), *to = pixels;
    for (int n = 0; n < shape.n; n++) {
        for (int i = 0; i < shape.height * shape.width; i++) {
            for (int c = 0; c < shape.channels; c++)
                *to++ = from[(n * shape.channels + c) * shape.height * shape.width + i];
        }
    }
    int count = patches_count(&shape), size = patches_size(&shape), rows = shape.n * count;
    struct tensor *target = tape_new(tape, 2, (int[]){rows, size}, false);
    patches_cut(&shape, pixels, hyper(run, "norm_pix") != 0, target->data);
    near(run, "out.target", target);
    const real *mask = values_of(run, "in.mask"), *noise = values_of(run, "in.mask_noise");
    int n_masked = 0, *kept = ARENA_ARRAY(tape_arena(tape), int, rows),
        *masked = ARENA_ARRAY(tape_arena(tape), int, rows);
    for (int i = 0; i < rows; i++) n_masked += mask[i] != 0;
    int keep = patches_mask(shape.n, count, (double)n_masked / rows, noise, kept, masked);
    assert_int_equal(keep * shape.n, rows - n_masked);
    for (int n = 0; n < shape.n; n++) {
        for (int i = 0; i < keep; i++) assert_true(mask[n * count + kept[n * keep + i]] == 0);
    }
    for (int i = 0; i < n_masked; i++) {
        masked[i] += i / (count - keep) * count;
        assert_true(mask[masked[i]] == 1);
    }
    struct tensor *prediction = op_reshape(tape, variable(run, "pred"), 2, (int[]){rows, size});
    finish(run, patches_loss(tape, op_gather_rows(tape, prediction, masked, n_masked),
                             op_gather_rows(tape, target, masked, n_masked)));
}

// --- autoregressive densities ---

static void finish_density(struct run *run, struct tensor *logits, struct tensor *x) {
    near(run, "out.probabilities", op_sigmoid(run->tape, op_detach(run->tape, logits)));
    struct tensor *rows = density_log_likelihood(run->tape, logits, x);
    near(run, "out.log_likelihood", rows);
    finish(run, op_affine(run->tape, op_mean(run->tape, rows), -1, 0));
}

static int *degrees_of(struct run *run, const char *key, int *count) {
    const struct st_tensor *tensor = golden_tensor(run->golden, key);
    int *values = ARENA_ARRAY(tape_arena(run->tape), int, tensor->count);
    for (int64_t i = 0; i < tensor->count; i++) values[i] = (int)st_get(tensor, i);
    *count = (int)tensor->count;
    return values;
}

static void check_made(struct run *run) {
    static const char *const weights[][3] = {
        {"W1", "b1", "out.mask1"}, {"W2", "b2", "out.mask2"}, {"V", "c", "out.maskV"}};
    struct tape *tape = run->tape;
    struct tensor *x = fixed(run, "x"), *h = x;
    int *degree[4], size[4];
    for (int i = 0; i < 3; i++) {
        char key[32];
        snprintf(key, sizeof key, "in.degree%d", i);
        degree[i] = degrees_of(run, key, &size[i]);
    }
    degree[3] = degree[0];
    size[3] = size[0];
    for (int i = 0; i < 3; i++) {
        real *mask = ARENA_ARRAY(tape_arena(tape), real, size[i + 1] * size[i]);
        density_mask(size[i + 1], degree[i + 1], size[i], degree[i], i == 2, mask);
        golden_near_float(run->golden, weights[i][2], mask, size[i + 1] * size[i], 0, 0);
        struct tensor *w = variable(run, weights[i][0]), *b = variable(run, weights[i][1]);
        h = density_masked_linear(tape, h, w, mask, b);
        if (i < 2) h = op_relu(tape, h);
    }
    finish_density(run, h, x);
}

static void check_nade(struct run *run) {
    struct tensor *x = fixed(run, "x"), *w = variable(run, "W"), *c = variable(run, "c"),
                  *v = variable(run, "V"), *b = variable(run, "b");
    finish_density(run, density_nade_logits(run->tape, x, w, c, v, b), x);
}

static void check_nce(struct run *run) {
    struct tape *tape = run->tape;
    struct tensor *data = variable(run, "pos_score"), *noise = variable(run, "neg_score");
    int column[2] = {data->dim[0], 1};
    struct tensor *rows = density_nce(tape, op_reshape(tape, data, 2, column), noise,
                                      op_reshape(tape, fixed(run, "pos_log_noise"), 2, column),
                                      fixed(run, "neg_log_noise"));
    near(run, "out.per_sample", rows);
    finish(run, op_mean(tape, rows));
}

static void dispatch(struct run *run, const char *method) {
#define CASE(name, call)                                                                           \
    if (!strcmp(method, name)) {                                                                   \
        call;                                                                                      \
        return;                                                                                    \
    }
    CASE("byol", check_byol(run))
    CASE("simsiam", check_simsiam(run))
    CASE("infonce", check_infonce(run))
    CASE("infonce_cosine", check_infonce(run))
    CASE("simclr_ntxent", check_simclr(run))
    CASE("curl", check_curl(run))
    CASE("atc", check_atc(run))
    CASE("moco_v1", check_moco(run))
    CASE("moco_v2", check_moco(run))
    CASE("instdisc_nce", check_instdisc(run, true))
    CASE("instdisc_softmax", check_instdisc(run, false))
    CASE("hadsell", check_hadsell(run))
    CASE("barlow", check_barlow(run))
    CASE("vicreg", check_vicreg(run))
    CASE("dino", check_dino(run))
    CASE("swav", check_swav(run))
    CASE("cpc", check_cpc(run, false, false))
    CASE("cpc_all", check_cpc(run, true, false))
    CASE("cpc_gru", check_cpc(run, false, true))
    CASE("dim_global_jsd", check_dim(run, LOSS_JSD))
    CASE("dim_local_jsd", check_dim(run, LOSS_JSD))
    CASE("dim_global_dv", check_dim(run, LOSS_DV))
    CASE("dim_local_dv", check_dim(run, LOSS_DV))
    CASE("dim_global_nce", check_dim(run, LOSS_NCE))
    CASE("dim_local_nce", check_dim(run, LOSS_NCE))
    CASE("made", check_made(run))
    CASE("nade", check_nade(run))
    CASE("nce", check_nce(run))
    CASE("mae", check_mae(run))
    CASE("mae_norm_pix", check_mae(run))
#undef CASE
    fail_msg("%s: method '%s' is not known", run->golden->path, method);
}

static void check(const struct golden_case *golden, void *context) {
    struct run run = {.golden = golden, .tape = context};
    tape_reset(run.tape);
    dispatch(&run, json_string_value(json_object_get(golden->entry, "method")));
}

static void golden_losses(void **state) {
    (void)state;
    struct rl_error err = {0};
    struct tape *tape = tape_create((size_t)256 << 20, NULL, &err);
    assert_non_null(tape);
    golden_each("nets/ssl", check, tape);
    tape_destroy(tape);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden_losses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
