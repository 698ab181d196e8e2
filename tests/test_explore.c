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

static struct explore *create(enum explore_bonus bonus, bool frames, int64_t decay) {
    struct explore_options options;
    struct explore *explore;
    struct rl_error err = {0};
    opt_set_defaults(&explore_opts, &options);
    options.bonus = (int)bonus;
    options.weight = 1;
    options.decay = decay;
    int dim[3] = {SIDE, SIDE, 3};
    if (explore_create(&explore, &options, frames ? 0 : OBS, dim, 1, &err) != RL_OK)
        fail_msg("%s", err.message);
    return explore;
}

// A familiar place (0) with a little noise, or a place far from it (1).
static double see(struct explore *explore, bool frames, int place, struct rng *rng, int64_t step) {
    double obs[OBS], bonus;
    uint8_t frame[SIDE * SIDE * 3];
    struct metrics metrics;
    struct rl_error err = {0};
    metrics_clear(&metrics);
    for (int i = 0; i < OBS; i++) obs[i] = 0.3 * rng_normal(rng) + (place ? 1.5 - i : 0);
    memset(frame, 20, sizeof frame);
    int at = (int)rng_below(rng, 4) + (place ? 16 : 2); // a bright bar, left or right
    for (int y = 0; y < SIDE; y++) memset(frame + (y * SIDE + at) * 3, 250, 12);
    enum rl_status status = explore_step(explore, frames ? NULL : obs, frames ? frame : NULL, step,
                                         &bonus, &metrics, &err);
    if (status != RL_OK) fail_msg("%s", err.message);
    assert_true(isfinite(bonus) && bonus >= 0);
    assert_float_equal(metrics_get(&metrics, "explore_bonus"), bonus, 1e-12);
    return bonus;
}

static double mean_bonus(struct explore *explore, bool frames, int place, int count,
                         struct rng *rng) {
    double sum = 0;
    for (int i = 0; i < count; i++) sum += see(explore, frames, place, rng, 0);
    return sum / count;
}

static void novelty_is_worth_more(void **state) {
    (void)state;
    for (int bonus = EXPLORE_DENSITY; bonus <= EXPLORE_RND; bonus++) {
        for (int frames = 0; frames < 2; frames++) {
            struct explore *explore = create((enum explore_bonus)bonus, frames, 0);
            struct rng rng = rng_seed(1);
            double early = mean_bonus(explore, frames, 0, 50, &rng);
            mean_bonus(explore, frames, 0, 1000, &rng);
            double familiar = mean_bonus(explore, frames, 0, 50, &rng);
            double novel = mean_bonus(explore, frames, 1, 5, &rng);
            mean_bonus(explore, frames, 1, 500, &rng);
            double later = mean_bonus(explore, frames, 1, 5, &rng);
            print_message("%s, %s: first %.3f, familiar %.3f, novel %.3f, after 500 more %.3f\n",
                          bonus == EXPLORE_RND ? "rnd" : "density", frames ? "frames" : "states",
                          early, familiar, novel, later);
            assert_true(familiar < early);
            // States: the noise of the familiar place itself fills the standardised scale.
            assert_true(novel > (frames ? 3 : 1.4) * familiar);
            assert_true(later < 0.7 * novel);
            explore_destroy(explore);
        }
    }
}

static void weight_decays(void **state) {
    (void)state;
    struct explore *a = create(EXPLORE_DENSITY, false, 0), *b = create(EXPLORE_DENSITY, false, 100);
    for (int64_t step = 0; step < 200; step++) {
        struct rng rng = rng_seed((uint64_t)step), same = rng;
        double whole = see(a, false, 0, &rng, step), left = see(b, false, 0, &same, step);
        assert_float_equal(left, whole * (step < 100 ? 1 - (double)step / 100 : 0), 1e-12);
    }
    explore_destroy(a);
    explore_destroy(b);
}

static void none_is_nothing(void **state) {
    (void)state;
    struct explore *explore = create(EXPLORE_NONE, false, 0);
    assert_null(explore);
    double bonus = 1;
    struct metrics metrics = {0};
    assert_int_equal(explore_step(NULL, NULL, NULL, 5, &bonus, &metrics, NULL), RL_OK);
    assert_true(bonus == 0 && metrics.count == 0);
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
        struct explore *a = create((enum explore_bonus)bonus, false, 0);
        struct rng rng = rng_seed(3);
        for (int i = 0; i < 100; i++) see(a, false, 0, &rng, i);
        struct keeper keeper = {.visitor = {.bytes = keep}, .size = (size_t)1 << 20};
        keeper.data = mem_alloc(keeper.size);
        explore_visit(a, "explore", &keeper.visitor);
        struct explore *b = create((enum explore_bonus)bonus, false, 0);
        keeper.used = 0;
        keeper.load = true;
        explore_visit(b, "explore", &keeper.visitor);
        struct rng same = rng;
        for (int i = 0; i < 100; i++)
            assert_true(see(a, false, i % 2, &rng, i) == see(b, false, i % 2, &same, i));
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
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(novelty_is_worth_more),
        cmocka_unit_test(weight_decays),
        cmocka_unit_test(none_is_nothing),
        cmocka_unit_test(state_continues_to_the_bit),
        cmocka_unit_test(returns_never_see_the_bonus),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
