// Encoders without an agent: rollouts in a file, pre-training from it and from pictures, probes,
// fine-tuning with few labels, pictures of latents.
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
#include <jansson.h>

#include "base/mem.h"
#include "base/png_file.h"
#include "replay/npy.h"
#include "ssl/features.h"
#include "ssl/finetune.h"
#include "support/learner.h"
#include "support/program.h"
#include "support/toy.h"
#include "train/collect.h"

static char dir[64];

static int setup(void **state) {
    (void)state;
    strcpy(dir, "/tmp/pretrain_XXXXXX");
    return mkdtemp(dir) ? chdir(dir) : -1;
}

static int teardown(void **state) {
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return chdir("/") || system(command);
}

static void must_run(const char *words, struct text *output) {
    struct text errors = {0};
    int code = program_run(words, output, &errors);
    if (code) fail_msg("rlrun %s: %d %s", words, code, errors.data);
    text_release(&errors);
}

static void assert_same_file(const char *a, const char *b) {
    struct bytes x, y;
    struct rl_error err = {0};
    assert_int_equal(file_read(a, 1 << 26, &x, &err), RL_OK);
    assert_int_equal(file_read(b, 1 << 26, &y, &err), RL_OK);
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    mem_free(x.data);
    mem_free(y.data);
}

static void assert_same_rollouts(const struct rollouts *a, const struct rollouts *b) {
    const struct replay_spec *spec = replay_spec(a->replay);
    size_t bytes =
        (size_t)spec->frame_dim[0] * spec->frame_dim[1] * spec->frame_dim[2] * spec->frame_stack;
    uint8_t *x = mem_alloc(bytes), *y = mem_alloc(bytes);
    struct replay_window window = replay_window(a->replay);
    assert_true(a->n_qpos == b->n_qpos && a->n_qvel == b->n_qvel);
    assert_int_equal(replay_end(a->replay), replay_end(b->replay));
    for (int64_t i = 0; i < replay_end(a->replay); i++) {
        replay_stack(a->replay, i, x);
        replay_stack(b->replay, i, y);
        assert_memory_equal(x, y, bytes);
        assert_memory_equal(replay_obs(a->replay, i), replay_obs(b->replay, i),
                            (size_t)spec->obs_dim * sizeof(float));
        assert_int_equal(replay_is_last(a->replay, i), replay_is_last(b->replay, i));
        if (!replay_is_transition(a->replay, window, i)) continue;
        assert_memory_equal(replay_action(a->replay, i), replay_action(b->replay, i),
                            (size_t)spec->action_dim * sizeof(float));
        assert_true((float)replay_reward(a->replay, i) == (float)replay_reward(b->replay, i));
        struct replay_return ra = replay_n_step(a->replay, window, i, 3, 0.9),
                             rb = replay_n_step(b->replay, window, i, 3, 0.9);
        assert_true(fabs(ra.reward - rb.reward) < 1e-6 && fabs(ra.discount - rb.discount) < 1e-6);
        assert_int_equal(ra.next, rb.next);
    }
    mem_free(x);
    mem_free(y);
}

static void rollouts_come_back_from_a_file(void **state) {
    (void)state;
    struct env_options options;
    struct rl_error err = {0};
    opt_set_defaults(&env_opts, &options);
    options.image_size = 24;
    options.action_repeat = 50; // 20 steps an episode
    struct rollouts_spec spec = {
        .env = "cartpole-balance", .options = &options, .steps = 50, .frame_stack = 2, .seed = 3};
    struct rollouts made, read;
    assert_int_equal(rollouts_collect(&made, &spec, &err), RL_OK);
    assert_int_equal(rollouts_save(&made, "a.npz", &err), RL_OK);
    assert_true(rollouts_is_file("a.npz"));
    assert_int_equal(rollouts_load(&read, "a.npz", 2, &err), RL_OK);
    assert_same_rollouts(&made, &read);
    assert_int_equal(rollouts_save(&read, "b.npz", &err), RL_OK);
    assert_same_file("a.npz", "b.npz");
    rollouts_release(&made);
    rollouts_release(&read);
    struct npz_writer writer; // a file of something else
    npz_writer_open(&writer, "c.npz");
    npz_writer_add(&writer, "frames", NPY_UINT, 1, 4, (int64_t[]){1, 1, 1, 3}, "abc");
    assert_int_equal(npz_writer_commit(&writer, &err), RL_OK);
    assert_false(rollouts_is_file("c.npz"));
    assert_int_equal(rollouts_load(&read, "c.npz", 1, &err), RL_EFORMAT);
    assert_non_null(strstr(err.message, "without member 'qpos'"));
    assert_null(read.replay);
}

#define CARTPOLE "cartpole-balance --env.image_size 32 --env.action_repeat 50"
#define LITTLE   " --latent_dim 16 --ssl.batch 16 --steps 4"

static void a_file_trains_like_its_environment(void **state) {
    (void)state;
    must_run("collect --env " CARTPOLE " --steps 120 --seed 5 -o r.npz", NULL);
    must_run("pretrain byol --env " CARTPOLE " --collect 120 --seed 5 -o a.safetensors" LITTLE,
             NULL);
    must_run("pretrain byol --data r.npz --seed 5 -o b.safetensors" LITTLE, NULL);
    assert_same_file("a.safetensors", "b.safetensors");
    struct text output = {0};
    must_run("probe a.safetensors b.safetensors --data r.npz --json --pictures p", &output);
    const char *names[] = {"a", "b", "random"}, *line = output.data;
    double qpos[3];
    for (int i = 0; i < 3; i++) {
        json_t *row = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        assert_non_null(row);
        assert_string_equal(json_string_value(json_object_get(row, "weights")), names[i]);
        qpos[i] = json_number_value(json_object_get(row, "r2_qpos"));
        assert_true(json_is_number(json_object_get(row, "r2_reward")));
        json_decref(row);
        line = strchr(line, '\n') + 1;
    }
    assert_true(qpos[0] == qpos[1] && qpos[0] != qpos[2]);
    assert_true(file_exists("p/a-plane.png") && file_exists("p/random-neighbours.png"));
    text_release(&output);
}

// The toy world's squares as a data set file, 300 for training and 100 for testing.
static void write_squares(const char *path) {
    struct rl_error err = {0};
    int *labels;
    uint8_t *images = toy_images(400, 1, &labels), bytes[400];
    for (int i = 0; i < 400; i++) bytes[i] = (uint8_t)labels[i];
    const int64_t train[] = {300, TOY_SIDE, TOY_SIDE, 3}, test[] = {100, TOY_SIDE, TOY_SIDE, 3};
    struct npz_writer writer;
    npz_writer_open(&writer, path);
    npz_writer_add(&writer, "train_images", NPY_UINT, 1, 4, train, images);
    npz_writer_add(&writer, "train_labels", NPY_UINT, 1, 1, train, bytes);
    npz_writer_add(&writer, "test_images", NPY_UINT, 1, 4, test,
                   images + 300 * TOY_SIDE * TOY_SIDE * 3);
    npz_writer_add(&writer, "test_labels", NPY_UINT, 1, 1, test, bytes + 300);
    assert_int_equal(npz_writer_commit(&writer, &err), RL_OK);
    mem_free(images);
    mem_free(labels);
}

static void pictures_train_and_are_probed(void **state) {
    (void)state;
    write_squares("squares.npz");
    must_run("pretrain dino --data squares.npz --encoder vit --vit.patch 8 --vit.width 24"
             " --vit.depth 1 -o v.safetensors" LITTLE " --latent_dim 0",
             NULL);
    struct rl_error err = {0};
    struct encoder *encoder = encoder_load("v.safetensors", &err);
    assert_true(encoder && encoder->out_dim == 24); // its own width
    encoder_destroy(encoder);
    struct text output = {0};
    must_run("probe v.safetensors --data squares.npz --finetune 0.5 --finetune_steps 5 --epochs 20"
             " --json --pictures p",
             &output);
    const char *names[] = {"v", "random", "pixels"}, *line = output.data;
    for (int i = 0; i < 3; i++) {
        json_t *row = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        double knn = json_number_value(json_object_get(row, "knn"));
        assert_string_equal(json_string_value(json_object_get(row, "weights")), names[i]);
        assert_true(knn >= 0 && knn <= 1 && json_is_number(json_object_get(row, "linear")));
        assert_int_equal(json_is_number(json_object_get(row, "finetune_0.5")), i < 2);
        if (i == 2 && knn < 0.3) fail_msg("knn of pixels %g", knn); // chance: 0.1
        json_decref(row);
        line = strchr(line, '\n') + 1;
    }
    struct png_image image;
    assert_int_equal(png_read("p/v-attention.png", &image, &err), RL_OK);
    assert_true(image.width == 128 && image.height == 640);
    mem_free(image.pixels);
    text_release(&output);
}

static void mistakes_are_usage_errors(void **state) {
    (void)state;
    write_squares("squares.npz");
    must_run("pretrain simclr --data squares.npz --heads h.safetensors -o e.safetensors" LITTLE,
             NULL);
    const struct {
        const char *words, *says;
    } cases[] = {
        {"probe e.safetensors --data squares.npz --finetune 0.1,2", "up to 4 shares"},
        {"probe e.safetensors --data squares.npz --head_layers 1", "needs --heads"},
        {"probe e.safetensors --env " CARTPOLE " --collect 100 --head_layers 3 --env.wrong 1",
         "wrong"},
        {"pretrain spr --data squares.npz", "needs a replay"},
        {"pretrain simclr --data nothing.npz", "cannot open"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text errors = {0};
        int code = program_run(cases[i].words, NULL, &errors);
        if (!code || !strstr(errors.data, cases[i].says))
            fail_msg("rlrun %s: %d %s", cases[i].words, code, errors.data);
        text_release(&errors);
    }
    struct text errors = {0}; // fine-tuning above one more layer than the projector has
    assert_int_equal(program_run("probe e.safetensors --data squares.npz --heads h.safetensors"
                                 " --head_layers 3 --finetune_steps 1 --epochs 1",
                                 NULL, &errors),
                     1);
    assert_non_null(strstr(errors.data, "no projector of 3 layers"));
    text_release(&errors);
}

// With SimCLR's first projector layer kept, and without.
static void fine_tuning_learns_and_leaves_no_trace(void **state) {
    (void)state;
    write_squares("squares.npz");
    must_run("pretrain simclr --data squares.npz --simclr.depth 3 --heads h.safetensors"
             " -o e.safetensors" LITTLE,
             NULL);
    struct rl_error err = {0};
    struct dataset set;
    assert_int_equal(dataset_load("squares.npz", &set, &err), RL_OK);
    struct encoder *encoder = encoder_load("e.safetensors", &err);
    assert_non_null(encoder);
    struct params before;
    params_clone(&before, &encoder->params);
    struct finetune_options options = {
        .share = 1, .steps = 1, .batch = 32, .lr = 1e-3, .head_lr = 1e-3, .heads = "h.safetensors"};
    double untrained, trained, kept;
    assert_int_equal(finetune(encoder, &set, &options, NULL, &untrained, &err), RL_OK);
    options.steps = 60;
    assert_int_equal(finetune(encoder, &set, &options, NULL, &trained, &err), RL_OK);
    assert_true(trained > 0.8 && trained > untrained + 0.2);
    options.steps = 12; // still on the way, and another way with a kept layer
    assert_int_equal(finetune(encoder, &set, &options, NULL, &trained, &err), RL_OK);
    options.head_layers = 1;
    assert_int_equal(finetune(encoder, &set, &options, NULL, &kept, &err), RL_OK);
    if (!(kept > 0.3 && kept != trained)) fail_msg("%g and %g", kept, trained);
    assert_memory_equal(before.value, encoder->params.value, before.count * sizeof(real));
    params_release(&before);
    encoder_destroy(encoder);
    dataset_free(&set);
}

static void the_plane_holds_the_widest_directions(void **state) {
    (void)state;
    enum { N = 400, D = 5 };
    real x[N * D], plane[N * 2];
    double share[2], along[2] = {0};
    struct rng rng = rng_seed(1);
    for (int i = 0; i < N; i++) {
        double a = rng_normal(&rng), b = rng_normal(&rng);
        for (int j = 0; j < D; j++) x[i * D + j] = (real)(0.01 * rng_normal(&rng) + 4);
        x[i * D + 3] += (real)(5 * a);
        x[i * D + 1] += (real)(2 * b);
    }
    features_plane(x, N, D, plane, share);
    assert_true(fabs(share[0] - 25.0 / 29) < 0.05 && fabs(share[0] + share[1] - 1) < 1e-3);
    for (int i = 0; i < N; i++) {
        along[0] += (double)plane[2 * i] * ((double)x[i * D + 3] - 4) / 5 / N;
        along[1] += (double)plane[2 * i + 1] * ((double)x[i * D + 1] - 4) / 2 / N;
    }
    assert_true(fabs(along[0]) > 0.85 && fabs(along[1]) > 0.85);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(rollouts_come_back_from_a_file),         CASE(a_file_trains_like_its_environment),
        CASE(pictures_train_and_are_probed),          CASE(mistakes_are_usage_errors),
        CASE(fine_tuning_learns_and_leaves_no_trace), CASE(the_plane_holds_the_widest_directions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
