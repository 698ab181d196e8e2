// `rlrun density` as a user runs it: pictures and text in, figures, weights and PNG files out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "base/png_file.h"
#include "base/rng.h"
#include "support/program.h"

#define N 400
#define H 6
#define W 5

// A bar in one of the columns or rows, as numpy's .npy; labels beside them.
static void write_npy(const char *path, const char *type, const char *shape, const void *data,
                      size_t size) {
    char head[118];
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    memset(head, ' ', sizeof head);
    int length = snprintf(head, sizeof head,
                          "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", type, shape);
    head[length] = ' ';
    head[sizeof head - 1] = '\n';
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file);
    fwrite(head, 1, sizeof head, file);
    fwrite(data, 1, size, file);
    fclose(file);
}

static void write_data(void) {
    uint8_t *x = mem_alloc(N * H * W), label[N];
    struct rng rng = rng_seed(1);
    for (int i = 0; i < N; i++) {
        label[i] = (uint8_t)rng_below(&rng, 2);
        int bar = (int)rng_below(&rng, label[i] ? H : W);
        for (int j = 0; j < H * W; j++)
            x[i * H * W + j] = (label[i] ? j / W : j % W) == bar ? 255 : 0;
    }
    write_npy("density-images.npy", "|u1", "(400, 6, 5)", x, N * H * W);
    write_npy("density-labels.npy", "|u1", "(400,)", label, N);
    mem_free(x);
}

static json_t *run_json(const char *words) {
    struct text output = {0}, errors = {0};
    int status = program_run(words, &output, &errors);
    if (status) fail_msg("%s: %d, %s", words, status, errors.data);
    json_t *row = json_loads(output.data, JSON_DISABLE_EOF_CHECK, NULL);
    if (!row) fail_msg("%s: no JSON: %s", words, output.data);
    text_release(&output);
    text_release(&errors);
    return row;
}

static double number(const json_t *row, const char *key) {
    const json_t *value = json_object_get(row, key);
    if (!json_is_number(value)) fail_msg("no number '%s'", key);
    return json_number_value(value);
}

static void check_picture(const char *path, int height, int width) {
    struct rl_error err = {0};
    struct png_image image;
    if (png_read(path, &image, &err) != RL_OK) fail_msg("%s", err.message);
    assert_int_equal(image.height, height);
    assert_int_equal(image.width, width);
    mem_free(image.pixels);
    remove(path);
}

static void pictures_are_learned_and_drawn(void **state) {
    (void)state;
    write_data();
    json_t *row =
        run_json("density made --data density-images.npy --epochs 30 --lr 1e-2 --batch 20 "
                 "--samples 9 --complete 4 --made.hidden 40 -o density_cli.safetensors --json");
    // Entropy: log 2 + (log 5 + log 6) / 2 = 2.39 nats.
    assert_true(number(row, "test_nll") < 4);
    assert_float_equal(number(row, "test_bits_per_dim") * 30 * 0.6931471805599453,
                       number(row, "test_nll"), 1e-6);
    check_picture("density_cli-samples.png", 3 * (2 * H + 1) + 1, 3 * (2 * W + 1) + 1);
    check_picture("density_cli-completed.png", 5 * (2 * H + 1) + 1, 4 * (2 * W + 1) + 1);
    json_t *again =
        run_json("density made --data density-images.npy --load density_cli.safetensors "
                 "--epochs 0 --output= --json");
    assert_float_equal(number(again, "test_nll"), number(row, "test_nll"), 1e-4);
    json_decref(row);
    json_decref(again);
    remove("density_cli.safetensors");
}

// Decay holds the weights back, so the rows are learned less well; a rate that stays goes further
// in few steps than one that falls.
static void decay_and_schedule_count(void **state) {
    (void)state;
    static const char *const more[] = {"", "--decay 1", "--final-lr 1"};
    double nll[3];
    write_data();
    for (int i = 0; i < 3; i++) {
        char words[256];
        snprintf(words, sizeof words,
                 "density made --data density-images.npy --epochs 8 --lr 1e-2 "
                 "--batch 20 --made.hidden 40 --output= --json %s",
                 more[i]);
        json_t *row = run_json(words);
        nll[i] = number(row, "test_nll");
        print_message("'%s': %.3f nats\n", more[i], nll[i]);
        json_decref(row);
    }
    assert_true(nll[1] > nll[0] + 0.1);
    assert_true(nll[2] < nll[0] - 0.1);
}

static void labels_give_a_classifier(void **state) {
    (void)state;
    write_data();
    json_t *row = run_json("density nade --data density-images.npy --labels --epochs 30 --lr 1e-2 "
                           "--batch 20 --nade.hidden 32 --output= --json");
    assert_true(number(row, "accuracy") > 0.9);
    assert_true(number(row, "regression_accuracy") > 0.55);
    // log p(x) >= log p(x, y); log p(x | y) = log p(x, y) - log p(y).
    assert_true(number(row, "test_nll") <= number(row, "test_joint_nll") + 1e-6);
    assert_true(number(row, "test_conditional_nll") < number(row, "test_joint_nll"));
    json_decref(row);
    remove("density-labels.npy");
}

static void check_mistake(const char *words, int status, const char *part) {
    struct text errors = {0};
    assert_int_equal(program_run(words, NULL, &errors), status);
    if (!strstr(errors.data, part))
        fail_msg("%s: '%s' does not say '%s'", words, errors.data, part);
    text_release(&errors);
}

static void mistakes_are_named(void **state) {
    (void)state;
    write_data();
    remove("density-labels.npy");
    check_mistake("density nade", 2, "--data");
    check_mistake("density", 2, "density list");
    check_mistake("density nadee --data density-images.npy", 2, "'nade'");
    check_mistake("density nade --data density-images.npy --labels", 2, "no labels");
    check_mistake("density nade --data density-images.npy --made.hidden 3", 2, "made");
    check_mistake("density ngram", 2, "--data");
    remove("density-images.npy");
}

static void texts_are_measured(void **state) {
    (void)state;
    FILE *file = fopen("density_cli.txt", "w");
    assert_non_null(file);
    struct rng rng = rng_seed(3);
    static const char *const who[] = {"the cat", "a dog", "my aunt"}, *const does[] = {"sees",
                                                                                       "likes"};
    for (int i = 0; i < 300; i++)
        fprintf(file, "%s %s %s\n", who[rng_below(&rng, 3)], does[rng_below(&rng, 2)],
                who[rng_below(&rng, 3)]);
    fclose(file);
    struct text output = {0};
    assert_int_equal(
        program_run("density nce-lm --data density_cli.txt --epochs 60 --batch 20 --json", &output,
                    NULL),
        0);
    char *line = output.data;
    double perplexity[5];
    for (int i = 0; i < 5; i++) { // two orders of counts, softmax, nce, infonce
        json_t *row = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        assert_non_null(row);
        perplexity[i] = number(row, "test_perplexity");
        json_decref(row);
        line = strchr(line, '\n') + 1;
    }
    assert_true(perplexity[1] < 0.5 * perplexity[0]);
    for (int i = 2; i < 5; i++)
        assert_float_equal(perplexity[i], perplexity[1], 0.1 * perplexity[1]);
    text_release(&output);
    remove("density_cli.txt");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_learned_and_drawn),
        cmocka_unit_test(decay_and_schedule_count),
        cmocka_unit_test(labels_give_a_classifier),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(texts_are_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
