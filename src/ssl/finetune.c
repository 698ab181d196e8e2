#include "ssl/finetune.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "nn/optimizer.h"
#include "nn/weights.h"
#include "ssl/heads.h"

#define TEST_BATCH 250

struct tuning {
    struct encoder *encoder;
    const struct dataset *set;
    const struct finetune_options *options;
    struct params params; // of the head: kept layers, then the classifier
    struct head head;
    struct tape *tape;
    int64_t *rows; // of the training part, that have labels
    int64_t n_rows;
    uint8_t *pixels; // of a batch
    int *label;
};

// The training rows of each class in a random order; the first share of them keeps its label.
static void choose_rows(struct tuning *tuning, struct rng *rng) {
    const struct dataset *set = tuning->set;
    int64_t *order = MEM_ARRAY(int64_t, set->n_train), *left = MEM_ARRAY(int64_t, set->n_classes);
    for (int64_t i = 0; i < set->n_train; i++) {
        order[i] = i;
        left[set->label[i]]++;
    }
    for (int64_t i = set->n_train - 1; i > 0; i--) {
        int64_t j = (int64_t)(rng_uniform(rng) * (double)(i + 1)), kept = order[i];
        order[i] = order[j], order[j] = kept;
    }
    for (int c = 0; c < set->n_classes; c++)
        if (left[c]) left[c] = (int64_t)fmax(1, round((double)left[c] * tuning->options->share));
    tuning->rows = order;
    for (int64_t i = 0; i < set->n_train; i++)
        if (left[set->label[order[i]]]-- > 0) order[tuning->n_rows++] = order[i];
    mem_free(left);
}

// Widths of the kept layers, and whether they are normed, as the file has them.
static enum rl_status read_shape(const struct st_file *file, const struct finetune_options *options,
                                 struct head_spec *spec, struct rl_error *err) {
    char name[PARAM_NAME_BYTES];
    for (int i = 0; i < options->head_layers; i++) {
        snprintf(name, sizeof name, "projector.%d.weight", i);
        const struct st_tensor *weight = st_find(file, name);
        if (!weight || weight->ndim != 2 || weight->dim[0] < 1 || weight->dim[0] > 65536)
            return rl_fail(err, RL_EFORMAT, "%s has no projector of %d layers", options->heads,
                           options->head_layers);
        spec->sizes[i + 1] = (int)weight->dim[0];
        snprintf(name, sizeof name, "projector.%d.norm.running_mean", i);
        if (st_find(file, name)) spec->norm = HEAD_NORM_BATCH;
    }
    return RL_OK;
}

static enum rl_status take_kept(struct tuning *tuning, const struct st_file *file,
                                struct rl_error *err) {
    char classifier[PARAM_NAME_BYTES];
    snprintf(classifier, sizeof classifier, "projector.%d.", tuning->options->head_layers);
    for (int i = 0; i < tuning->params.n_items; i++) {
        const struct param_item *item = &tuning->params.items[i];
        if (!strncmp(item->name, classifier, strlen(classifier))) continue;
        const struct st_tensor *tensor = st_find(file, item->name);
        if (!tensor || tensor->count != (int64_t)item->count)
            return rl_fail(err, RL_EFORMAT, "%s: '%s' is missing or does not fit this encoder",
                           tuning->options->heads, item->name);
        weights_from_file_order(item, tensor, tuning->params.value + item->offset);
    }
    return RL_OK;
}

static enum rl_status create_head(struct tuning *tuning, struct rng *rng, struct rl_error *err) {
    const struct finetune_options *options = tuning->options;
    struct head_spec spec = {.n_sizes = options->head_layers + 2, .last_bias = true};
    struct st_file file = {0};
    enum rl_status status = RL_OK;
    RL_ASSERT(options->head_layers >= 0 && options->head_layers < HEAD_MAX_LAYERS);
    spec.sizes[0] = tuning->encoder->out_dim;
    spec.sizes[options->head_layers + 1] = tuning->set->n_classes;
    if (options->head_layers) {
        status = st_read(options->heads, &file, err);
        if (status == RL_OK) status = read_shape(&file, options, &spec, err);
    }
    if (status == RL_OK) {
        tuning->head = head_add(&tuning->params, "projector", &spec);
        params_finish(&tuning->params, true, rng);
        if (options->head_layers) status = take_kept(tuning, &file, err);
    }
    if (options->head_layers) st_release(&file);
    return status;
}

static struct tensor *logits(struct tuning *tuning, const uint8_t *pixels, int n) {
    struct encoder_input input = {.n = n, .pixels = pixels};
    struct tensor *z =
        encoder_forward(tuning->encoder, tuning->tape, &tuning->encoder->params, &input);
    return head(tuning->tape, &tuning->params, &tuning->head, z);
}

static enum rl_status train(struct tuning *tuning, struct rng *rng, struct pool *pool,
                            struct rl_error *err) {
    const struct finetune_options *options = tuning->options;
    const struct dataset *set = tuning->set;
    size_t each = (size_t)set->h * set->w * set->c;
    struct optimizer below, above;
    optimizer_init(&below, &tuning->encoder->params, optimizer_adam(options->lr));
    optimizer_init(&above, &tuning->params, optimizer_adam(options->head_lr));
    params_zero_grad(&tuning->encoder->params);
    enum rl_status status = RL_OK;
    for (int step = 0; step < options->steps && status == RL_OK; step++) {
        for (int i = 0; i < options->batch; i++) {
            int64_t row = tuning->rows[rng_below(rng, (uint32_t)tuning->n_rows)];
            memcpy(tuning->pixels + (size_t)i * each, set->images + (size_t)row * each, each);
            tuning->label[i] = set->label[row];
        }
        tape_reset(tuning->tape);
        struct tensor *scores = logits(tuning, tuning->pixels, options->batch);
        tape_backward(tuning->tape, op_cross_entropy(tuning->tape, scores, tuning->label));
        double scale = schedule_cosine(1, 0, options->steps, step);
        status = optimizer_step(&below, pool, scale, NULL, err);
        if (status == RL_OK) status = optimizer_step(&above, pool, scale, NULL, err);
    }
    optimizer_release(&below);
    optimizer_release(&above);
    return status;
}

static double test(struct tuning *tuning) {
    const struct dataset *set = tuning->set;
    int64_t begin = set->n_train + set->n_valid, right = 0;
    size_t each = (size_t)set->h * set->w * set->c;
    for (int64_t at = begin; at < set->n; at += TEST_BATCH) {
        int n = set->n - at < TEST_BATCH ? (int)(set->n - at) : TEST_BATCH;
        tape_reset(tuning->tape);
        tape_set_recording(tuning->tape, false);
        const struct tensor *scores = logits(tuning, set->images + (size_t)at * each, n);
        for (int i = 0; i < n; i++) {
            const real *row = scores->data + (size_t)i * set->n_classes;
            int best = 0;
            for (int c = 1; c < set->n_classes; c++) best = row[c] > row[best] ? c : best;
            right += best == set->label[at + i];
        }
    }
    return (double)right / (double)(set->n - begin);
}

static size_t tape_bytes(const struct tuning *tuning, int batch) {
    size_t total = encoder_tape_bytes(tuning->encoder, batch) + (1 << 20);
    for (int i = 0; i < tuning->head.spec.n_sizes; i++)
        total += (size_t)16 * batch * tuning->head.spec.sizes[i] * sizeof(real);
    return total;
}

enum rl_status finetune(struct encoder *encoder, const struct dataset *set,
                        const struct finetune_options *options, struct pool *pool, double *accuracy,
                        struct rl_error *err) {
    RL_ASSERT(set->label && set->n_train + set->n_valid < set->n);
    struct tuning tuning = {.encoder = encoder, .set = set, .options = options};
    struct rng rng = rng_fork(options->seed, "finetune");
    int batch = options->batch > TEST_BATCH ? options->batch : TEST_BATCH;
    struct params before;
    params_clone(&before, &encoder->params);
    choose_rows(&tuning, &rng);
    tuning.pixels = mem_alloc((size_t)batch * set->h * set->w * set->c);
    tuning.label = MEM_ARRAY(int, batch);
    enum rl_status status = create_head(&tuning, &rng, err);
    if (status == RL_OK) {
        tuning.tape = tape_create(tape_bytes(&tuning, batch), pool, err);
        status = tuning.tape ? train(&tuning, &rng, pool, err) : RL_ENOMEM;
    }
    if (status == RL_OK) *accuracy = test(&tuning);
    params_copy(&encoder->params, &before);
    tape_destroy(tuning.tape);
    params_release(&tuning.params);
    params_release(&before);
    mem_free(tuning.rows);
    mem_free(tuning.pixels);
    mem_free(tuning.label);
    return status;
}
