// Exploration bonuses: novel observations earn more, familiar ones less and less; schedule, state,
// and runs whose returns never see the bonus.
#include <math.h>
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
#include "base/rng.h"
#include "support/program.h"
#include "train/explore.h"

#define OBS  3
#define SIDE 24

enum what { STATES, FRAMES, LATENTS, N_WHAT };
static const char *const what_names[] = {"states", "frames", "latents"};

static struct explore *create(enum explore_bonus bonus, enum what what, int64_t decay) {
    struct explore_options options;
    struct explore *explore;
    struct rl_error err = {0};
    opt_set_defaults(&explore_opts, &options);
    options.bonus = (int)bonus;
    options.weight = 1;
    options.decay = decay;
    options.input = what == LATENTS ? EXPLORE_LATENTS : EXPLORE_OBSERVATION;
    struct explore_dims dims = {what == STATES ? OBS : 0, OBS, {SIDE, SIDE, 3}};
    if (explore_create(&explore, &options, &dims, 1, &err) != RL_OK) fail_msg("%s", err.message);
    return explore;
}

// A familiar place (0) with a little noise, or a place far from it (1).
static double see(struct explore *explore, enum what what, int place, struct rng *rng,
                  int64_t step) {
    double obs[OBS], bonus;
    float latent[OBS];
    uint8_t frame[SIDE * SIDE * 3];
    struct metrics metrics;
    struct rl_error err = {0};
    metrics_clear(&metrics);
    for (int i = 0; i < OBS; i++) obs[i] = 0.3 * rng_normal(rng) + (place ? 1.5 - i : 0);
    for (int i = 0; i < OBS; i++) latent[i] = (float)obs[i];
    memset(frame, 20, sizeof frame);
    int at = (int)rng_below(rng, 4) + (place ? 16 : 2); // a bright bar, left or right
    for (int y = 0; y < SIDE; y++) memset(frame + (y * SIDE + at) * 3, 250, 12);
    struct explore_seen seen = {what == STATES ? obs : NULL, what == FRAMES ? frame : NULL,
                                what == LATENTS ? latent : NULL};
    enum rl_status status = explore_step(explore, &seen, step, &bonus, &metrics, &err);
    if (status != RL_OK) fail_msg("%s", err.message);
    assert_true(isfinite(bonus) && bonus >= 0);
    assert_float_equal(metrics_get(&metrics, "explore_bonus"), bonus, 1e-12);
    return bonus;
}

static double mean_bonus(struct explore *explore, enum what what, int place, int count,
                         struct rng *rng) {
    double sum = 0;
    for (int i = 0; i < count; i++) sum += see(explore, what, place, rng, 0);
    return sum / count;
}

static void novelty_is_worth_more(void **state) {
    (void)state;
    for (int bonus = EXPLORE_DENSITY; bonus <= EXPLORE_RND; bonus++) {
        for (enum what what = 0; what < N_WHAT; what++) {
            struct explore *explore = create((enum explore_bonus)bonus, what, 0);
            struct rng rng = rng_seed(1);
            double early = mean_bonus(explore, what, 0, 50, &rng);
            mean_bonus(explore, what, 0, 1000, &rng);
            double familiar = mean_bonus(explore, what, 0, 50, &rng);
            double novel = mean_bonus(explore, what, 1, 5, &rng);
            mean_bonus(explore, what, 1, 500, &rng);
            double later = mean_bonus(explore, what, 1, 5, &rng);
            print_message("%s, %s: first %.3f, familiar %.3f, novel %.3f, after 500 more %.3f\n",
                          bonus == EXPLORE_RND ? "rnd" : "density", what_names[what], early,
                          familiar, novel, later);
            assert_true(familiar < early);
            // Numbers: the noise of the familiar place itself fills the standardised scale.
            assert_true(novel > (what == FRAMES ? 3 : 1.4) * familiar);
            assert_true(later < 0.7 * novel);
            explore_destroy(explore);
        }
    }
}

static void weight_decays(void **state) {
    (void)state;
    struct explore *a = create(EXPLORE_DENSITY, STATES, 0),
                   *b = create(EXPLORE_DENSITY, STATES, 100);
    for (int64_t step = 0; step < 200; step++) {
        struct rng rng = rng_seed((uint64_t)step), same = rng;
        double whole = see(a, STATES, 0, &rng, step), left = see(b, STATES, 0, &same, step);
        assert_float_equal(left, whole * (step < 100 ? 1 - (double)step / 100 : 0), 1e-12);
    }
    explore_destroy(a);
    explore_destroy(b);
}

static void none_is_nothing(void **state) {
    (void)state;
    struct explore *explore = create(EXPLORE_NONE, STATES, 0);
    assert_null(explore);
    double bonus = 1;
    struct metrics metrics = {0};
    assert_int_equal(explore_step(NULL, NULL, 5, &bonus, &metrics, NULL), RL_OK);
    assert_true(bonus == 0 && metrics.count == 0);
}

// Before the first encoder is published there is no latent: no bonus, nothing learned.
static void no_latent_is_nothing(void **state) {
    (void)state;
    struct explore *early = create(EXPLORE_DENSITY, LATENTS, 0),
                   *late = create(EXPLORE_DENSITY, LATENTS, 0);
    struct explore_seen nothing = {0};
    struct metrics metrics = {0};
    struct rl_error err = {0};
    for (int i = 0; i < 20; i++) {
        double bonus = 1;
        assert_int_equal(explore_step(late, &nothing, i, &bonus, &metrics, &err), RL_OK);
        assert_true(bonus == 0 && metrics.count == 0);
    }
    struct rng rng = rng_seed(1), same = rng;
    for (int i = 0; i < 50; i++)
        assert_true(see(early, LATENTS, i % 2, &rng, i) == see(late, LATENTS, i % 2, &same, i));
    explore_destroy(early);
    explore_destroy(late);
}

// --- state: a visitor that keeps every byte, or puts it back ---

struct keeper {
    struct state_visitor visitor;
    unsigned char *data;
    size_t used, size;
    bool load;
};

static void keep(struct state_visitor *visitor, const char *name, void *data, size_t size) {
    (void)name;
    struct keeper *keeper = (struct keeper *)visitor;
    assert_true(keeper->used + size <= keeper->size);
    unsigned char *at = keeper->data + keeper->used;
    memcpy(keeper->load ? data : at, keeper->load ? at : data, size);
    keeper->used += size;
}

static void state_continues_to_the_bit(void **state) {
    (void)state;
    for (int bonus = EXPLORE_DENSITY; bonus <= EXPLORE_RND; bonus++) {
        struct explore *a = create((enum explore_bonus)bonus, STATES, 0);
        struct rng rng = rng_seed(3);
        for (int i = 0; i < 100; i++) see(a, STATES, 0, &rng, i);
        struct keeper keeper = {.visitor = {.bytes = keep}, .size = (size_t)1 << 20};
        keeper.data = mem_alloc(keeper.size);
        explore_visit(a, "explore", &keeper.visitor);
        struct explore *b = create((enum explore_bonus)bonus, STATES, 0);
        keeper.used = 0;
        keeper.load = true;
        explore_visit(b, "explore", &keeper.visitor);
        struct rng same = rng;
        for (int i = 0; i < 100; i++)
            assert_true(see(a, STATES, i % 2, &rng, i) == see(b, STATES, i % 2, &same, i));
        mem_free(keeper.data);
        explore_destroy(a);
        explore_destroy(b);
    }
}

// --- runs ---

static struct text run(const char *bonus, const char *dir) {
    char words[512];
    struct text errors = {0};
    snprintf(
        words, sizeof words,
        "ddpg --env cartpole-swingup_sparse --encoder state --steps 520 --ddpg.random_steps 600 "
        "--log-every 260 --eval-every 1000 --eval-episodes 1 --run-dir %s --explore.bonus %s "
        "--explore.weight 7",
        dir, bonus);
    if (program_run(words, NULL, &errors)) fail_msg("%s: %s", words, errors.data);
    text_release(&errors);
    return program_metrics(dir);
}

// Random actions, no updates: with and without a bonus the returns are the same.
static void returns_never_see_the_bonus(void **state) {
    (void)state;
    assert_int_equal(system("rm -rf explore.tmp"), 0);
    struct text plain = run("none", "explore.tmp/none"),
                with = run("density", "explore.tmp/density");
    static const char *const keys[] = {"episode_return", "return_mean", "frames"};
    int rows = 0, bonuses = 0;
    char *a = plain.data, *b = with.data;
    while (a && *a && b && *b) {
        json_t *x = json_loads(a, JSON_DISABLE_EOF_CHECK, NULL);
        json_t *y = json_loads(b, JSON_DISABLE_EOF_CHECK, NULL);
        assert_true(x && y);
        for (int i = 0; i < 3; i++)
            assert_true(json_equal(json_object_get(x, keys[i]), json_object_get(y, keys[i])) ||
                        (!json_object_get(x, keys[i]) && !json_object_get(y, keys[i])));
        assert_null(json_object_get(x, "explore_bonus"));
        bonuses += json_number_value(json_object_get(y, "explore_bonus")) > 0;
        rows++;
        json_decref(x);
        json_decref(y);
        a = strchr(a, '\n');
        b = strchr(b, '\n');
        a += a != NULL;
        b += b != NULL;
    }
    assert_true(rows >= 3 && bonuses >= 2);
    text_release(&plain);
    text_release(&with);
    assert_int_equal(system("rm -rf explore.tmp"), 0);
}

// A bonus in the rows after the first publish (in the random phase), in none before.
static void latents_count_once_published(void **state) {
    (void)state;
    struct text errors = {0};
    const char *words =
        "ddpg --env cartpole-balance --encoder byol --steps 360 --ddpg.random_steps 300 "
        "--env.image_size 32 --loop.publish_min 100 --loop.ssl_first 10 --loop.latent_dim 16 "
        "--ddpg.batch 16 --ssl.batch 16 --log-every 40 --eval-every 100000 --eval-episodes 1 "
        "--threads 1 --explore.bonus density --explore.input latents --run-dir explore.tmp/latents";
    assert_int_equal(system("rm -rf explore.tmp"), 0);
    if (program_run(words, NULL, &errors)) fail_msg("%s: %s", words, errors.data);
    text_release(&errors);
    struct text rows = program_metrics("explore.tmp/latents");
    int64_t published = 0, before = 0, after = 0; // rows; published: the version a row earlier
    for (char *row = rows.data; row && *row; row = strchr(row, '\n'), row += row != NULL) {
        json_t *object = json_loads(row, JSON_DISABLE_EOF_CHECK, NULL);
        assert_non_null(object);
        bool bonus = json_number_value(json_object_get(object, "explore_bonus")) > 0;
        const json_t *version = json_object_get(object, "encoder_version");
        if (version) {
            assert_int_equal(bonus, published > 0);
            before += !bonus;
            after += bonus;
            published = (int64_t)json_number_value(version);
        }
        json_decref(object);
    }
    assert_true(before >= 2 && after >= 1);
    text_release(&rows);
    assert_int_equal(system("rm -rf explore.tmp"), 0);
}

static void mistakes_are_named(void **state) {
    (void)state;
    struct text errors = {0};
    assert_int_equal(
        program_run("ddpg --env cartpole --encoder state --steps 10 --run-dir explore.bad "
                    "--explore.bonus density --explore.model nadee",
                    NULL, &errors),
        2);
    assert_non_null(strstr(errors.data, "'nade'"));
    text_release(&errors);
    assert_int_equal(
        program_run("ddpg --env cartpole --encoder state --steps 10 --run-dir explore.bad2 "
                    "--explore.bonus density --explore.input latents",
                    NULL, &errors),
        2);
    assert_non_null(strstr(errors.data, "this run has no latents"));
    text_release(&errors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(novelty_is_worth_more),
        cmocka_unit_test(weight_decays),
        cmocka_unit_test(none_is_nothing),
        cmocka_unit_test(no_latent_is_nothing),
        cmocka_unit_test(state_continues_to_the_bit),
        cmocka_unit_test(returns_never_see_the_bonus),
        cmocka_unit_test(latents_count_once_published),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
