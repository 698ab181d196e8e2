// Language models of a text, side by side: n-grams by counts, and a log-bilinear bigram model by
// full softmax, NCE and InfoNCE.
#include "cli/density_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_line.h"
#include "base/mem.h"
#include "cli/args.h"
#include "density/corpus.h"
#include "density/nce_lm.h"
#include "density/ngram.h"
#include "train/progress.h"

#define TEXT_LIMIT ((size_t)1 << 30)

enum tokens { TOKENS_WORDS, TOKENS_CHARACTERS };
static const char *const tokens_names[] = {"words", "characters", NULL};

struct text_options {
    char data[OPT_STRING_BYTES];
    int64_t order, min_count, dim, noise, epochs, batch, seed, threads;
    double test_share, lr;
    int tokens;
    bool json;
};
#define T struct text_options
static const struct opt_spec specs[] = {
    OPT_ROW_STRING(T, data, "", "a text file; a line is a sentence"),
    OPT_ROW_CHOICE(T, tokens, "words", tokens_names, "what the text is cut into"),
    OPT_ROW_INT(T, min_count, "2", 1, 1e9, "rarer words of the training lines are <unk>"),
    OPT_ROW_REAL(T, test_share, "0.1", 0, 0.9, "of the lines, the last ones, for testing"),
    OPT_ROW_INT(T, order, "3", 1, NGRAM_MAX_ORDER, "longest n-gram (ngram)"),
    OPT_ROW_INT(T, dim, "32", 1, 4096, "width of the words' vectors (nce-lm)"),
    OPT_ROW_INT(T, noise, "25", 1, 10000, "noise words for each word (nce-lm)"),
    OPT_ROW_INT(T, epochs, "10", 1, 1e6, "passes through the training words (nce-lm)"),
    OPT_ROW_INT(T, batch, "100", 1, 100000, "words a step (nce-lm)"),
    OPT_ROW_REAL(T, lr, "5e-3", 1e-8, 10, "rate of Adam, falling to 0.05 of it (nce-lm)"),
    OPT_ROW_INT(T, seed, "1", 0, 9e15, "of everything random"),
    OPT_ROW_INT(T, threads, "2", 1, 256, "threads; results do not depend on it"),
    OPT_ROW_BOOL(T, json, "false", "one JSON object a line"),
    OPT_END,
};
#undef T
static const struct opt_table table = {"", specs};

bool density_text_is_model(const char *name) {
    return text_same_name(name, "ngram") || text_same_name(name, "nce-lm");
}

struct row {
    const char *model;
    int order;
    double train, test, seconds, log_z, log_z_std; // log_z NaN: none
    int64_t size;
};

static void print_row(const struct row *row, bool json) {
    if (!json) {
        printf("%-10s %5d %12.3f %12.3f %10" PRId64 " %8.1f", row->model, row->order, row->train,
               row->test, row->size, row->seconds);
        if (!isnan(row->log_z)) printf("   %.3f +- %.3f", row->log_z, row->log_z_std);
        printf("\n");
        fflush(stdout);
        return;
    }
    struct text line = {0};
    json_line_begin(&line);
    json_line_string(&line, "model", row->model);
    json_line_int(&line, "order", row->order);
    json_line_real(&line, "train_perplexity", row->train);
    json_line_real(&line, "test_perplexity", row->test);
    json_line_int(&line, "size", row->size);
    json_line_real(&line, "train_s", row->seconds);
    if (!isnan(row->log_z)) {
        json_line_real(&line, "log_z_mean", row->log_z);
        json_line_real(&line, "log_z_std", row->log_z_std);
    }
    json_line_end(&line);
    fputs(line.data, stdout);
    fflush(stdout);
    text_release(&line);
}

static void count_ngrams(const struct corpus *corpus, int order, bool json) {
    double start_s = clock_now_s();
    struct ngram *ngram = ngram_create(corpus->token, corpus->n_train, corpus->vocabulary, order);
    struct row row = {.model = "ngram", .order = order, .log_z = NAN, .size = ngram_size(ngram)};
    row.seconds = clock_now_s() - start_s;
    row.train = ngram_perplexity(ngram, corpus->token, corpus->n_train);
    row.test =
        ngram_perplexity(ngram, corpus->token + corpus->n_train, corpus->n - corpus->n_train);
    ngram_destroy(ngram);
    print_row(&row, json);
}

static enum rl_status train(struct nce_lm *lm, const struct corpus *corpus,
                            const struct text_options *options, const char *name,
                            struct rl_error *err) {
    int64_t n = corpus->n_train, *order = MEM_ARRAY(int64_t, n), done = 0;
    int *before = MEM_ARRAY(int, options->batch), *word = MEM_ARRAY(int, options->batch);
    int64_t steps = options->epochs * ((n + options->batch - 1) / options->batch);
    struct rng rng = rng_fork((uint64_t)options->seed, "order of the words");
    double start_s = clock_now_s(), shown_s = start_s;
    enum rl_status status = RL_OK;
    for (int64_t i = 0; i < n; i++) order[i] = i;
    for (int64_t at = n; done < steps && status == RL_OK; done++) {
        for (int64_t i = n - 1; at >= n && i > 0; i--) {
            int64_t j = rng_below(&rng, (uint32_t)i + 1), kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        if (at >= n) at = 0;
        int count = 0;
        for (; count < options->batch && at < n; count++, at++) {
            word[count] = corpus->token[order[at]];
            before[count] = order[at] ? corpus->token[order[at] - 1] : CORPUS_END;
        }
        double loss, scale = schedule_cosine(1, 0.05, steps, done);
        status = nce_lm_update(lm, count, before, word, scale, &loss, err);
        double now = clock_now_s();
        if (now - shown_s < (isatty(STDERR_FILENO) ? 1 : 10)) continue;
        shown_s = now;
        char left[32];
        double share = (double)(done + 1) / (double)steps;
        progress_format_time(left, sizeof left, (now - start_s) * (1 - share) / share);
        fprintf(stderr, "%s %3.0f%%  loss %.3f  left %s\n", name, 100 * share, loss, left);
    }
    mem_free(order);
    mem_free(before);
    mem_free(word);
    return status;
}

static enum rl_status learn(const struct corpus *corpus, const struct text_options *options,
                            enum nce_lm_loss loss, struct pool *pool, struct rl_error *err) {
    struct nce_lm_spec spec = {.vocabulary = corpus->vocabulary,
                               .dim = (int)options->dim,
                               .loss = loss,
                               .noise = (int)options->noise,
                               .batch = (int)options->batch,
                               .lr = options->lr,
                               .seed = (uint64_t)options->seed};
    int64_t *count = MEM_ARRAY(int64_t, corpus->vocabulary);
    for (int64_t i = 0; i < corpus->n_train; i++) count[corpus->token[i]]++;
    struct nce_lm *lm = nce_lm_create(&spec, count, pool, err);
    mem_free(count);
    if (!lm) return err->code;
    struct row row = {.model = nce_lm_loss_names[loss], .order = 2};
    double start_s = clock_now_s();
    enum rl_status status = train(lm, corpus, options, row.model, err);
    row.seconds = clock_now_s() - start_s;
    row.size = (int64_t)corpus->vocabulary * (2 * options->dim + 1);
    if (status == RL_OK) {
        row.train = nce_lm_perplexity(lm, corpus->token, corpus->n_train, NULL, NULL);
        row.test = nce_lm_perplexity(lm, corpus->token + corpus->n_train,
                                     corpus->n - corpus->n_train, &row.log_z, &row.log_z_std);
        print_row(&row, options->json);
    }
    nce_lm_destroy(lm);
    return status;
}

static enum rl_status run(const char *model, const struct text_options *options,
                          struct rl_error *err) {
    if (!*options->data) return rl_fail(err, RL_EUSAGE, "name the text with --data");
    struct bytes text;
    struct corpus corpus;
    struct corpus_options how = {options->tokens == TOKENS_CHARACTERS, options->min_count,
                                 options->test_share};
    enum rl_status status = file_read(options->data, TEXT_LIMIT, &text, err);
    if (status != RL_OK) return status;
    status = corpus_create((const char *)text.data, text.size, &how, &corpus, err);
    mem_free(text.data);
    if (status != RL_OK) return status;
    if (!options->json)
        printf("%" PRId64 " training tokens, %" PRId64 " for testing, vocabulary %d\n"
               "%-10s %5s %12s %12s %10s %8s   log Z (test)\n",
               corpus.n_train, corpus.n - corpus.n_train, corpus.vocabulary, "model", "order",
               "train ppl", "test ppl", "size", "seconds");
    struct pool *pool = pool_create((int)options->threads, err);
    status = pool ? RL_OK : err->code;
    bool counts = text_same_name(model, "ngram");
    for (int order = 1; status == RL_OK && order <= (counts ? options->order : 2); order++)
        count_ngrams(&corpus, order, options->json);
    for (int loss = 0; status == RL_OK && !counts && nce_lm_loss_names[loss]; loss++)
        status = learn(&corpus, options, (enum nce_lm_loss)loss, pool, err);
    pool_destroy(pool);
    corpus_release(&corpus);
    return status;
}

enum rl_status density_text(int argc, char **argv, struct rl_error *err) {
    struct args args;
    struct text_options options;
    enum rl_status status = args_read(&args, argc, argv, &table, &options, 0, err);
    if (status == RL_OK && args.help) {
        args_print_help("density ngram|nce-lm --data TEXT", &table);
    } else if (status == RL_OK) {
        status = run(argv[0], &options, err);
    }
    args_release(&args);
    return status;
}
