// rlrun density MODEL --data F: learns the density of binarised pictures, says how well, draws,
// completes and classifies. `rlrun density ngram|nce-lm --data TEXT` is density_text.c.
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_line.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/density_sheet.h"
#include "cli/density_text.h"
#include "density/fit.h"
#include "replay/dataset.h"
#include "train/progress.h"

enum hide { HIDE_BOTTOM, HIDE_TOP, HIDE_LEFT, HIDE_RIGHT, HIDE_RANDOM };
static const char *const hide_names[] = {"bottom", "top", "left", "right", "random", NULL};
enum binarize { BINARIZE_THRESHOLD, BINARIZE_DRAW };
static const char *const binarize_names[] = {"threshold", "draw", NULL};

struct density_options {
    char data[OPT_STRING_BYTES], load[OPT_STRING_BYTES], output[OPT_STRING_BYTES];
    int64_t epochs, batch, seed, threads, limit, samples, complete, particles, classify;
    double lr, final_lr, decay, time_limit, valid_share, test_share, threshold;
    int binarize, hide;
    bool labels, json;
};
#define T struct density_options
static const struct opt_spec specs[] = {
    OPT_ROW_STRING(T, data, "", "pictures: .npy, .npz, IDX (.gz), a folder of IDX or PNG files"),
    OPT_ROW_STRING(T, load, "", "weights to start from; --epochs 0 only tests them"),
    OPT_ROW_STRING(T, output, "density.safetensors",
                   "weights to write; pictures go beside it; empty = none of them"),
    OPT_ROW_BOOL(T, labels, "false", "learn p(x, y), not p(x): needs labels; classifies by Bayes"),
    OPT_ROW_INT(T, epochs, "20", 0, 1e6, "passes through the training part"),
    OPT_ROW_INT(T, batch, "100", 1, 10000, "rows a step"),
    OPT_ROW_REAL(T, lr, "1e-3", 1e-8, 10, "rate of Adam at the start"),
    OPT_ROW_REAL(T, final_lr, "0.05", 0, 1, "share of the rate that is left at the end (cosine)"),
    OPT_ROW_REAL(T, decay, "0", 0, 100, "weight decay, of weights but not of biases (AdamW)"),
    OPT_ROW_REAL(T, time_limit, "0", 0, 1e9, "seconds of training; 0 = no limit"),
    OPT_ROW_CHOICE(T, binarize, "threshold", binarize_names,
                   "a pixel v of 0..1 is 1 above the threshold, or with chance v (drawn once)"),
    OPT_ROW_REAL(T, threshold, "0.5", 0, 1, "of a pixel's brightness"),
    OPT_ROW_REAL(T, valid_share, "0.1", 0.001, 0.9,
                 "of the training part, for validation, where the data have none"),
    OPT_ROW_REAL(T, test_share, "0.1", 0.001, 0.9, "for testing, where the data have no test part"),
    OPT_ROW_INT(T, limit, "0", 0, 1e12, "training rows used; 0 = all"),
    OPT_ROW_INT(T, samples, "64", 0, 4096, "pictures to draw, OUTPUT-samples.png"),
    OPT_ROW_INT(T, complete, "12", 0, 4096, "test pictures to complete, OUTPUT-completed.png"),
    OPT_ROW_CHOICE(T, hide, "bottom", hide_names, "half of the picture to complete"),
    OPT_ROW_INT(T, particles, "16", 1, 10000, "draws to choose a completion from, by weight"),
    OPT_ROW_INT(T, classify, "2000", 0, 1e9, "test rows to classify, with --labels"),
    OPT_ROW_INT(T, seed, "1", 0, 9e15, "of everything random"),
    OPT_ROW_INT(T, threads, "2", 1, 256, "threads; results do not depend on it"),
    OPT_ROW_BOOL(T, json, "false", "one JSON object with the results"),
    OPT_END,
};
#undef T
static const struct opt_table table = {"", specs};

// --- data ---

struct pictures {
    int h, w, d, classes;
    uint8_t *x; // (n, d) of 0 and 1
    int *label;
    struct density_data train, valid, test;
};

static void pictures_release(struct pictures *pictures) {
    mem_free(pictures->x);
    mem_free(pictures->label);
}

// Channels are averaged; the threshold is exclusive.
static void binarize(const struct dataset *data, const struct density_options *options,
                     struct pictures *pictures) {
    struct rng rng = rng_fork((uint64_t)options->seed, "binarize");
    const uint8_t *from = data->images;
    for (int64_t i = 0; i < data->n * pictures->d; i++, from += data->c) {
        double value = 0;
        for (int k = 0; k < data->c; k++) value += from[k] / (255.0 * data->c);
        bool draw = options->binarize == BINARIZE_DRAW;
        pictures->x[i] = value > (draw ? rng_uniform(&rng) : options->threshold);
    }
}

static struct density_data part(const struct pictures *pictures, int64_t begin, int64_t end) {
    return (struct density_data){.n = end - begin,
                                 .x = pictures->x + (size_t)begin * (size_t)pictures->d,
                                 .label = pictures->label ? pictures->label + begin : NULL};
}

// The first n rows in a random order: a file may have its classes one after another.
static void shuffle(struct pictures *pictures, int64_t n, uint64_t seed) {
    struct rng rng = rng_fork(seed, "order of the pictures");
    size_t d = (size_t)pictures->d;
    uint8_t *kept = mem_alloc(d);
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = rng_below(&rng, (uint32_t)i + 1);
        uint8_t *a = pictures->x + (size_t)i * d, *b = pictures->x + (size_t)j * d;
        memcpy(kept, a, d);
        memmove(a, b, d);
        memcpy(b, kept, d);
        if (!pictures->label) continue;
        int label = pictures->label[i];
        pictures->label[i] = pictures->label[j];
        pictures->label[j] = label;
    }
    mem_free(kept);
}

static enum rl_status cut(struct pictures *pictures, const struct dataset *data,
                          const struct density_options *options, struct rl_error *err) {
    int64_t n_train = data->n_train, n_valid = data->n_valid;
    shuffle(pictures, n_train, (uint64_t)options->seed);
    if (n_valid == 0) {
        n_valid = (int64_t)ceil((double)n_train * options->valid_share);
        n_train -= n_valid;
    }
    pictures->valid = part(pictures, n_train, n_train + n_valid);
    pictures->test = part(pictures, n_train + n_valid, data->n);
    if (options->limit && options->limit < n_train) n_train = options->limit;
    pictures->train = part(pictures, 0, n_train);
    if (n_train < 1 || pictures->test.n < 1)
        return rl_fail(err, RL_EUSAGE,
                       "%s: %" PRId64 " pictures leave %" PRId64 " for training, %" PRId64
                       " for testing; each needs one",
                       options->data, data->n, n_train, pictures->test.n);
    return RL_OK;
}

static enum rl_status load(struct pictures *pictures, const struct density_options *options,
                           struct rl_error *err) {
    struct dataset data;
    enum rl_status status = dataset_load(options->data, &data, err);
    if (status != RL_OK) return status;
    dataset_split(&data, options->test_share, (uint64_t)options->seed);
    *pictures = (struct pictures){.h = data.h, .w = data.w, .d = data.h * data.w};
    if (options->labels && (!data.label || data.n_classes < 2)) {
        status =
            rl_fail(err, RL_EUSAGE, "%s has no labels of two classes or more; leave --labels out",
                    options->data);
    } else if (options->labels) {
        pictures->classes = data.n_classes;
        pictures->label = MEM_ARRAY(int, data.n);
        memcpy(pictures->label, data.label, (size_t)data.n * sizeof(int));
    }
    pictures->x = status == RL_OK ? mem_try_alloc(mem_size((size_t)data.n, (size_t)pictures->d),
                                                  "the binary pictures", err)
                                  : NULL;
    if (!pictures->x) status = err->code;
    if (status == RL_OK) {
        binarize(&data, options, pictures);
        status = cut(pictures, &data, options, err);
    }
    dataset_free(&data);
    return status;
}

// --- progress ---

static volatile int stop_requested;

static void request_stop(int signal_number) {
    if (stop_requested) signal(signal_number, SIG_DFL);
    stop_requested = 1;
}

struct watch {
    double start_s, shown_s;
    int64_t shown_epoch;
    bool terminal;
};

static void on_progress(void *context, const struct density_fit_state *state) {
    struct watch *watch = context;
    double now = clock_now_s();
    bool end = state->epoch > watch->shown_epoch;
    if (!end && now - watch->shown_s < (watch->terminal ? 1 : 10)) return;
    watch->shown_s = now;
    watch->shown_epoch = state->epoch;
    char left[32];
    double share = (double)state->steps / (double)state->total_steps;
    progress_format_time(left, sizeof left, (now - watch->start_s) * (1 - share) / share);
    fprintf(stderr, "%s%3.0f%%  epoch %.2f of %" PRId64 "  train %.3f nats",
            watch->terminal ? "\r" : "", 100 * share, share * (double)state->epochs, state->epochs,
            state->train_nll);
    if (!isnan(state->valid_nll)) fprintf(stderr, "  validation %.3f", state->valid_nll);
    fprintf(stderr, "  left %s   %s", left, watch->terminal ? "" : "\n");
}

static enum rl_status fit(struct density *density, const struct pictures *pictures,
                          const struct density_options *options, struct density_fit_state *result,
                          struct rl_error *err) {
    struct density_fit_options how = {options->epochs, options->batch, options->time_limit,
                                      options->final_lr};
    struct watch watch = {.start_s = clock_now_s(), .terminal = isatty(STDERR_FILENO)};
    struct sigaction action = {.sa_handler = request_stop}, old;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &old);
    enum rl_status status = density_fit(density, &pictures->train, &pictures->valid, &how,
                                        on_progress, &watch, &stop_requested, result, err);
    sigaction(SIGINT, &old, NULL);
    if (watch.terminal && options->epochs) fprintf(stderr, "\n");
    return status;
}

// --- pictures ---

// OUTPUT without its ending, and "-what.png".
static void beside(char *out, size_t size, const char *output, const char *what) {
    const char *end = strrchr(output, '.'), *slash = strrchr(output, '/');
    int length = (int)(end && (!slash || end > slash) ? end - output : (long)strlen(output));
    snprintf(out, size, "%.*s-%s.png", length, output, what);
}

static enum rl_status draw_samples(struct density *density, const struct density_options *options,
                                   struct rl_error *err) {
    int n = (int)options->samples, d = density->size;
    struct rng rng = rng_fork((uint64_t)options->seed, "samples");
    uint8_t *x = mem_alloc((size_t)n * d);
    int *label = MEM_ARRAY(int, n);
    int classes = density->spec.classes;
    // With labels a column is a class.
    for (int i = 0; i < n; i++) label[i] = classes ? i % classes : 0;
    density_draw(density, &rng, n, x, NULL, 1, classes ? label : NULL, NULL);
    for (size_t i = 0; i < (size_t)n * d; i++) x[i] *= 255;
    char path[OPT_STRING_BYTES + 32];
    beside(path, sizeof path, options->output, "samples");
    int columns = classes && classes <= 32 ? classes : (int)ceil(sqrt(n));
    enum rl_status status =
        density_sheet_write(path, x, n, density->spec.height, density->spec.width, columns, err);
    mem_free(x);
    mem_free(label);
    return status;
}

static void mark_known(const struct density *density, const struct density_options *options,
                       uint8_t *known) {
    int h = density->spec.height, w = density->spec.width;
    struct rng rng = rng_fork((uint64_t)options->seed, "hidden places");
    for (int i = 0; i < density->size; i++) {
        int y = i / w, x = i % w;
        bool hidden[] = {[HIDE_BOTTOM] = y >= h / 2,
                         [HIDE_TOP] = y < h / 2,
                         [HIDE_LEFT] = x < w / 2,
                         [HIDE_RIGHT] = x >= w / 2,
                         [HIDE_RANDOM] = rng_below(&rng, 2)};
        known[i] = !hidden[options->hide];
    }
}

// Rows of the sheet: the pictures, what the model sees of them, three completions.
static enum rl_status complete(struct density *density, const struct density_options *options,
                               const struct density_data *test, struct rl_error *err) {
    enum { ROWS = 5 };
    int d = density->size;
    int n = (int)(options->complete < test->n ? options->complete : test->n);
    uint8_t *known = mem_alloc((size_t)d), *sheet = mem_alloc((size_t)ROWS * n * d);
    struct rng rng = rng_fork((uint64_t)options->seed, "completions");
    mark_known(density, options, known);
    for (int row = 0; row < ROWS; row++) {
        uint8_t *x = sheet + (size_t)row * n * d;
        memcpy(x, test->x, (size_t)n * d);
        if (row > 1) density_draw(density, &rng, n, x, known, (int)options->particles, NULL, NULL);
        for (size_t i = 0; i < (size_t)n * d; i++)
            x[i] = row == 1 && !known[i % (size_t)d] ? 128 : 255 * x[i];
    }
    char path[OPT_STRING_BYTES + 32];
    beside(path, sizeof path, options->output, "completed");
    enum rl_status status = density_sheet_write(path, sheet, ROWS * n, density->spec.height,
                                                density->spec.width, n, err);
    mem_free(known);
    mem_free(sheet);
    return status;
}

// --- results ---

struct results {
    double train_s, valid_nll, test_nll, joint_nll, conditional_nll, accuracy, regression;
    int64_t classified;
    struct density_fit_state fit;
};

static enum rl_status classify(struct density *density, const struct pictures *pictures,
                               const struct density_options *options, struct pool *pool,
                               struct results *results, struct rl_error *err) {
    struct density_data test = pictures->test;
    int classes = pictures->classes;
    if (options->classify < test.n) test.n = options->classify;
    double *joint = MEM_ARRAY(double, test.n *classes), sum = 0;
    int64_t right = 0;
    density_joint(density, test.n, test.x, joint);
    for (int64_t i = 0; i < test.n; i++) {
        const double *row = joint + i * classes;
        int best = 0;
        double all = 0;
        for (int k = 1; k < classes; k++) best = row[k] > row[best] ? k : best;
        for (int k = 0; k < classes; k++) all += exp(row[k] - row[best]);
        right += best == test.label[i];
        sum -= row[best] + log(all);
    }
    mem_free(joint);
    results->classified = test.n;
    results->test_nll = sum / (double)test.n;
    results->accuracy = (double)right / (double)test.n;
    return density_regression_accuracy(&pictures->train, &test, density->size, classes, 20,
                                       (uint64_t)options->seed, pool, &results->regression, err);
}

static enum rl_status measure(struct density *density, const struct pictures *pictures,
                              const struct density_options *options, struct pool *pool,
                              struct results *results, struct rl_error *err) {
    results->valid_nll = pictures->valid.n ? density_mean_nll(density, &pictures->valid) : NAN;
    if (!pictures->classes) {
        results->test_nll = density_mean_nll(density, &pictures->test);
        return RL_OK;
    }
    int64_t n = pictures->test.n;
    double *log_prob = MEM_ARRAY(double, n), prior[DENSITY_MAX_CLASSES];
    density_log_prob(density, n, pictures->test.x, pictures->test.label, log_prob);
    density_log_prior(density, prior);
    for (int64_t i = 0; i < n; i++) {
        results->conditional_nll -= log_prob[i] / (double)n;
        results->joint_nll -= (log_prob[i] + prior[pictures->test.label[i]]) / (double)n;
    }
    mem_free(log_prob);
    return options->classify ? classify(density, pictures, options, pool, results, err) : RL_OK;
}

static void print_json(const struct density *density, const struct density_options *options,
                       const struct pictures *pictures, const struct results *results) {
    double bits = 1 / (log(2) * density->size);
    struct text line = {0};
    json_line_begin(&line);
    json_line_string(&line, "model", density->ops->name);
    json_line_string(&line, "data", options->data);
    json_line_int(&line, "dims", density->size);
    json_line_int(&line, "params", (int64_t)density->params.count);
    json_line_int(&line, "train_rows", pictures->train.n);
    json_line_int(&line, "test_rows", pictures->test.n);
    json_line_int(&line, "epochs", results->fit.epoch);
    json_line_int(&line, "best_epoch", results->fit.best_epoch);
    json_line_real(&line, "train_s", results->train_s);
    json_line_real(&line, "train_nll", results->fit.train_nll);
    json_line_real(&line, "valid_nll", results->valid_nll);
    json_line_real(&line, "test_nll", results->test_nll);
    json_line_real(&line, "test_bits_per_dim", results->test_nll * bits);
    if (pictures->classes) {
        json_line_real(&line, "test_joint_nll", results->joint_nll);
        json_line_real(&line, "test_conditional_nll", results->conditional_nll);
        json_line_int(&line, "classified", results->classified);
        json_line_real(&line, "accuracy", results->accuracy);
        json_line_real(&line, "regression_accuracy", results->regression);
    }
    json_line_end(&line);
    fputs(line.data, stdout);
    text_release(&line);
}

static void print_nll(const struct density *density, const char *what, double nll) {
    printf("%-28s %9.3f nats  %.4f bits/dim\n", what, nll, nll / (log(2) * density->size));
}

static void print_results(const struct density *density, const struct pictures *pictures,
                          const struct results *results) {
    printf("%s, %zu weights, %d places, %" PRId64 " epochs in %.1f s (best: %" PRId64 ")\n",
           density->ops->name, density->params.count, density->size, results->fit.epoch,
           results->train_s, results->fit.best_epoch);
    bool joint = pictures->classes > 0;
    print_nll(density, joint ? "validation -log p(x, y)" : "validation -log p(x)",
              results->valid_nll);
    if (joint) {
        print_nll(density, "test       -log p(x, y)", results->joint_nll);
        print_nll(density, "test       -log p(x | y)", results->conditional_nll);
    }
    if (!joint || results->classified)
        print_nll(density, "test       -log p(x)", results->test_nll);
    if (joint && results->classified)
        printf("%" PRId64
               " test rows: %.2f%% classified right by p(x, y); softmax regression %.2f%%\n",
               results->classified, 100 * results->accuracy, 100 * results->regression);
}

// --- the command ---

static struct density *make(const char *model, const struct density_options *options,
                            const struct pictures *pictures, struct config *config,
                            struct pool *pool, struct rl_error *err) {
    struct optimizer_hyper hyper = optimizer_adam(options->lr);
    if (options->decay > 0) hyper.kind = OPTIMIZER_ADAMW;
    hyper.decay = options->decay;
    struct density_spec spec = {.height = pictures->h,
                                .width = pictures->w,
                                .classes = pictures->classes,
                                .batch = (int)options->batch,
                                .seed = (uint64_t)options->seed,
                                .hyper = hyper};
    if (!*options->load) return density_create(model, &spec, config, pool, err);
    struct density *density = density_load(options->load, spec.batch, pool, err);
    if (!density) return NULL;
    const struct density_spec *own = &density->spec;
    if (!strcmp(density->ops->name, model) && own->height == spec.height &&
        own->width == spec.width && own->classes == spec.classes) {
        density->optimizer.hyper = hyper;
        return density;
    }
    rl_fail(err, RL_EUSAGE, "%s is a %s of %dx%d pictures and %d classes, not a %s of %dx%d and %d",
            options->load, density->ops->name, own->height, own->width, own->classes, model,
            spec.height, spec.width, spec.classes);
    density_destroy(density);
    return NULL;
}

static enum rl_status learn(struct density *density, const struct density_options *options,
                            const struct pictures *pictures, struct pool *pool,
                            struct rl_error *err) {
    struct results results = {.test_nll = NAN};
    double start_s = clock_now_s();
    enum rl_status status = fit(density, pictures, options, &results.fit, err);
    results.train_s = clock_now_s() - start_s;
    bool files = *options->output != '\0';
    if (status == RL_OK && files) status = density_save(density, options->output, err);
    if (status == RL_OK && stop_requested)
        return rl_fail(err, RL_EINTERRUPT, "interrupted after epoch %" PRId64 "%s%s",
                       results.fit.epoch, files ? "; weights so far are in " : "", options->output);
    if (status == RL_OK && files && options->samples) status = draw_samples(density, options, err);
    if (status == RL_OK && files && options->complete)
        status = complete(density, options, &pictures->test, err);
    if (status == RL_OK) status = measure(density, pictures, options, pool, &results, err);
    if (status != RL_OK) return status;
    if (options->json) {
        print_json(density, options, pictures, &results);
    } else {
        print_results(density, pictures, &results);
    }
    return RL_OK;
}

static enum rl_status run(const char *model, struct config *config,
                          const struct density_options *options, struct rl_error *err) {
    if (!*options->data) return rl_fail(err, RL_EUSAGE, "name the pictures with --data");
    struct pictures pictures = {0};
    struct pool *pool = pool_create((int)options->threads, err);
    enum rl_status status = pool ? load(&pictures, options, err) : err->code;
    struct density *density = NULL;
    if (status == RL_OK) {
        density = make(model, options, &pictures, config, pool, err);
        status = density ? config_check_used(config, NULL, 0, err) : err->code;
    }
    if (status == RL_OK) status = learn(density, options, &pictures, pool, err);
    density_destroy(density);
    pictures_release(&pictures);
    pool_destroy(pool);
    return status;
}

static enum rl_status list(void) {
    for (int i = 0; i < density_count(); i++) {
        const struct density_ops *ops = density_at(i);
        printf("%-10s %s (%s)\n", ops->name, ops->summary, ops->paper);
    }
    printf("%-10s %s\n", "ngram",
           "words by counts, interpolated Kneser-Ney (Chen and Goodman 1999)");
    printf("%-10s %s\n", "nce-lm",
           "log-bilinear bigrams by softmax, NCE and InfoNCE (Mnih and Teh 2012)");
    return RL_OK;
}

static void print_help(void) {
    args_print_help("density MODEL --data F [-o F.safetensors] [--MODEL.key=value ...]\n"
                    "       rlrun density ngram|nce-lm --data TEXT   (rlrun density ngram --help)\n"
                    "       rlrun density list",
                    &table);
    struct text text = {0};
    for (int i = 0; i < density_count(); i++) {
        if (density_at(i)->opts.specs) opt_dump_help(&density_at(i)->opts, &text);
    }
    fputs(text.data, stdout);
    text_release(&text);
}

enum rl_status cmd_density(int argc, char **argv, struct rl_error *err) {
    if (argc > 1 && density_text_is_model(argv[1])) return density_text(argc - 1, argv + 1, err);
    if (argc == 2 && !strcmp(argv[1], "list")) return list();
    const struct opt_table *tables[32] = {&table};
    size_t n_tables = 1;
    for (int i = 0; i < density_count(); i++) {
        if (density_at(i)->opts.specs) tables[n_tables++] = &density_at(i)->opts;
    }
    struct args args;
    struct density_options options;
    enum rl_status status = args_parse(&args, argc, argv, tables, n_tables, err);
    if (status == RL_OK && args.help) {
        print_help();
        args_release(&args);
        return RL_OK;
    }
    if (status == RL_OK) status = config_apply(&args.config, &table, &options, err);
    if (status == RL_OK && args.n_words != 1)
        status = rl_fail(err, RL_EUSAGE, "name one model: see 'rlrun density list'");
    if (status == RL_OK) status = run(args.words[0], &args.config, &options, err);
    args_release(&args);
    return status;
}
