// Conformance of every encoder: shapes, files, the target's weights, memory.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/mem.h"
#include "encoders/encoder.h"
#include "nn/safetensors.h"
#include "support/toy.h"

#define N   3
#define DIM (TOY_SIDE * TOY_SIDE * 3)

static uint8_t pixels[N * DIM];
static real rows[N * 5];

static struct encoder *make(const char *name, int latent_dim, struct rl_error *err) {
    struct encoder_spec spec = {
        .in_dim = {TOY_SIDE, TOY_SIDE, 3}, .obs_dim = 5, .latent_dim = latent_dim};
    struct config config = {0};
    struct rng rng = rng_seed(11);
    config_add(&config, "vit", "patch", "8", "test", false);
    struct encoder *encoder = encoder_create(name, &spec, &config, &rng, err);
    config_release(&config);
    return encoder;
}

static struct encoder *must_make(const char *name, int latent_dim) {
    struct rl_error err = {0};
    struct encoder *encoder = make(name, latent_dim, &err);
    if (!encoder) fail_msg("%s: %s", name, err.message);
    return encoder;
}

static struct tensor *run(struct encoder *encoder, struct tape *tape, const struct params *params) {
    struct encoder_input input = {.n = N, .pixels = pixels, .rows = rows};
    return encoder_forward(encoder, tape, params, &input);
}

static struct tape *make_tape(const struct encoder *encoder) {
    struct rl_error err = {0};
    struct tape *tape = tape_create(encoder_tape_bytes(encoder, N) + (1 << 14), NULL, &err);
    assert_non_null(tape);
    return tape;
}

// Width, own features, finite values; that its own estimate of the tape is enough for a backward
// pass; and that the first weight gets a gradient.
static void check(const char *name, int latent_dim) {
    struct encoder *encoder = must_make(name, latent_dim);
    struct tape *tape = make_tape(encoder);
    struct tensor *z = run(encoder, tape, &encoder->params);
    assert_int_equal(z->dim[0], N);
    assert_int_equal(z->dim[1], encoder->out_dim);
    if (latent_dim) assert_int_equal(encoder->out_dim, latent_dim);
    for (size_t i = 0; i < z->count; i++) assert_true(isfinite(z->data[i]));
    if (encoder->params.count) {
        tape_backward(tape,
                      op_mean(tape, op_square(tape, op_sub(tape, z, op_affine(tape, z, 0, 1)))));
        double norm = 0;
        for (size_t i = 0; i < encoder->params.items[0].count; i++)
            norm += fabs((double)encoder->params.grad[encoder->params.items[0].offset + i]);
        if (!(norm > 0)) fail_msg("%s: no gradient reaches the first layer", name);
    }
    tape_destroy(tape);
    encoder_destroy(encoder);
}

static void all_have_the_shape_they_say(void **state) {
    (void)state;
    for (int i = 0; i < encoder_count(); i++) {
        const char *name = encoder_at(i)->name;
        check(name, strcmp(name, "identity") ? 7 : 0);
        check(name, 0);
        assert_ptr_equal(encoder_find(name), encoder_at(i));
    }
    assert_null(encoder_find("nonesuch"));
}

static void files_bring_the_same_encoder_back(void **state) {
    (void)state;
    char path[] = "/tmp/rlrun_encoder_XXXXXX";
    close(mkstemp(path));
    struct rl_error err = {0};
    for (int i = 0; i < encoder_count(); i++) {
        const char *name = encoder_at(i)->name;
        struct encoder *encoder = must_make(name, strcmp(name, "identity") ? 7 : 0);
        if (encoder->params.count) encoder->params.value[0] = (real)0.125;
        if (encoder_save(encoder, &encoder->params, path, &err) != RL_OK)
            fail_msg("%s", err.message);
        struct encoder *loaded = encoder_load(path, &err);
        if (!loaded) fail_msg("%s: %s", name, err.message);
        assert_ptr_equal(loaded->ops, encoder->ops);
        assert_memory_equal(&loaded->spec, &encoder->spec, sizeof loaded->spec);
        struct tape *tape = make_tape(encoder), *other = make_tape(loaded);
        struct tensor *a = run(encoder, tape, &encoder->params);
        struct tensor *b = run(loaded, other, &loaded->params);
        assert_memory_equal(a->data, b->data, a->count * sizeof(real));
        tape_destroy(tape);
        tape_destroy(other);
        encoder_destroy(loaded);
        encoder_destroy(encoder);
    }
    unlink(path);
}

static void a_file_of_something_else_is_refused(void **state) {
    (void)state;
    char path[] = "/tmp/rlrun_encoder_XXXXXX";
    close(mkstemp(path));
    struct rl_error err = {0};
    real value[4] = {0};
    struct st_tensor tensor = {.name = "x", .ndim = 1, .dim = {4}, .count = 4, .data = value};
    tensor.dtype = sizeof(real) == 4 ? ST_F32 : ST_F64;
    const char *cases[][4][2] = {
        {{"a", "b"}, {"c", "d"}, {"e", "f"}, {"g", "h"}},
        {{"rlrun.encoder", "1"}, {"encoder", "cnn"}, {"spec", "84 84 9 0 50"}, {"options", ""}},
        {{"rlrun.encoder", "1"}, {"encoder", "cnm"}, {"spec", "84 84 9 0 50"}, {"options", ""}},
        {{"rlrun.encoder", "1"}, {"encoder", "cnn"}, {"spec", "84 84 9"}, {"options", ""}},
        {{"rlrun.encoder", "1"}, {"encoder", "cnn"}, {"spec", "84 84 -9 0 50"}, {"options", ""}},
        {{"rlrun.encoder", "1"}, {"encoder", "cnn"}, {"spec", "1 1 9 0 50"}, {"options", ""}},
        {{"rlrun.encoder", "1"},
         {"encoder", "cnn"},
         {"spec", "84 84 9 0 50"},
         {"options", "cnn:\n  chanels: 3\n"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(st_write(path, &tensor, 1, &cases[i][0][0], 4, &err), RL_OK);
        err.message[0] = '\0';
        assert_null(encoder_load(path, &err));
        assert_true(strlen(err.message) > 10);
    }
    unlink(path);
}

static void two_blocks_share_one_definition(void **state) {
    (void)state;
    struct encoder *encoder = must_make("cnn", 7);
    struct params other;
    params_clone(&other, &encoder->params);
    for (size_t i = 0; i < other.items[0].count; i++) other.value[i] = 0;
    struct rl_error err = {0};
    struct tape *tape = tape_create(4 * encoder_tape_bytes(encoder, N), NULL, &err);
    struct tensor *a = run(encoder, tape, &encoder->params), *b = run(encoder, tape, &other);
    assert_true(memcmp(a->data, b->data, a->count * sizeof(real)) != 0);
    assert_null(b->grad); // a block without gradients records none
    tape_destroy(tape);
    params_release(&other);
    encoder_destroy(encoder);
}

static void like_has_the_options_and_new_weights(void **state) {
    (void)state;
    struct encoder *encoder = must_make("vit", 7); // with a patch that is not the default
    struct rl_error err = {0};
    struct rng rng = rng_seed(99);
    struct encoder *like = encoder_create_like(encoder, &rng, &err);
    assert_non_null(like);
    assert_int_equal(like->params.count, encoder->params.count);
    assert_memory_equal(like->options, encoder->options, encoder->ops->options_bytes);
    assert_true(memcmp(like->params.value, encoder->params.value,
                       encoder->params.count * sizeof(real)) != 0);
    encoder_destroy(like);
    encoder_destroy(encoder);
}

static void attention_maps_are_shares(void **state) {
    (void)state;
    struct encoder *encoder = must_make("vit", 7);
    struct tape *tape = make_tape(encoder);
    struct encoder_input input = {.n = N, .pixels = pixels};
    int heads;
    tape_set_recording(tape, false);
    struct tensor *maps = encoder->ops->attention(encoder, tape, &encoder->params, &input, &heads);
    assert_int_equal(maps->dim[1], heads * 16);
    for (int i = 0; i < N * heads; i++) {
        double sum = 0;
        for (int t = 0; t < 16; t++) sum += (double)maps->data[i * 16 + t];
        assert_true(sum > 0.5 && sum < 1); // the rest is the class token's own
    }
    tape_destroy(tape);
    encoder_destroy(encoder);
}

static void bad_wishes_are_named(void **state) {
    (void)state;
    struct rl_error err = {0};
    struct rng rng = rng_seed(1);
    struct encoder_spec small = {.in_dim = {6, 6, 3}, .latent_dim = 8};
    assert_null(encoder_create("cnn", &small, NULL, &rng, &err));
    assert_non_null(strstr(err.message, "6 x 6"));
    assert_null(encoder_create("vit", &small, NULL, &rng, &err));
    assert_non_null(strstr(err.message, "vit.patch"));
    assert_null(encoder_create("impale", &small, NULL, &rng, &err));
    assert_non_null(strstr(err.message, "impala"));
    assert_null(encoder_create("mlp", &small, NULL, &rng, &err));
    assert_null(make("identity", 3, &err));
}

int main(void) {
    struct rng rng = rng_seed(2);
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)rng_below(&rng, 256);
    for (size_t i = 0; i < N * 5; i++) rows[i] = (real)rng_normal(&rng);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_have_the_shape_they_say),
        cmocka_unit_test(files_bring_the_same_encoder_back),
        cmocka_unit_test(a_file_of_something_else_is_refused),
        cmocka_unit_test(two_blocks_share_one_definition),
        cmocka_unit_test(like_has_the_options_and_new_weights),
        cmocka_unit_test(attention_maps_are_shares),
        cmocka_unit_test(bad_wishes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
