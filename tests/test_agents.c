// What every agent of the registry must do: act in range, learn a toy task past a bound, repeat
// itself bit for bit, go on identically after save and load, allocate nothing in an update, and
// name a tensor that is not finite. An agent is tested by being listed.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agents/agent.h"
#include "base/config.h"
#include "base/mem.h"

#define BATCH 64

// --- a point in the plane that should reach a goal -----------------------------------------------

#define OBS_DIM       4 // position, goal
#define ACTION_DIM    2
#define EPISODE_STEPS 20
#define CAPACITY      4096

struct point {
    double x[2], goal[2];
    int step;
};

static void point_reset(struct point *point, struct rng *rng) {
    for (int i = 0; i < 2; i++) {
        point->x[i] = rng_range(rng, -1, 1);
        point->goal[i] = rng_range(rng, -1, 1);
    }
    point->step = 0;
}

static void point_observe(const struct point *point, real *obs) {
    for (int i = 0; i < 2; i++) {
        obs[i] = (real)point->x[i];
        obs[2 + i] = (real)point->goal[i];
    }
}

// Moves by up to 0.2 an axis; the reward is 1 at the goal and falls to 0 at distance 1.
static double point_step(struct point *point, const real *action) {
    double square = 0;
    for (int i = 0; i < 2; i++) {
        double x = point->x[i] + 0.2 * (double)action[i];
        point->x[i] = x < -1 ? -1 : x > 1 ? 1 : x;
        square += (point->x[i] - point->goal[i]) * (point->x[i] - point->goal[i]);
    }
    point->step++;
    return fmax(0, 1 - sqrt(square));
}

// Transitions and one batch of them.
struct memory {
    real obs[CAPACITY][OBS_DIM], next[CAPACITY][OBS_DIM], action[CAPACITY][ACTION_DIM];
    real reward[CAPACITY];
    int count;
    real b_obs[BATCH][OBS_DIM], b_next[BATCH][OBS_DIM], b_action[BATCH][ACTION_DIM];
    real b_reward[BATCH], b_discount[BATCH];
};

static struct batch memory_sample(struct memory *memory, double gamma, struct rng *rng) {
    for (int i = 0; i < BATCH; i++) {
        uint32_t at = rng_below(rng, (uint32_t)memory->count);
        memcpy(memory->b_obs[i], memory->obs[at], sizeof memory->obs[at]);
        memcpy(memory->b_next[i], memory->next[at], sizeof memory->next[at]);
        memcpy(memory->b_action[i], memory->action[at], sizeof memory->action[at]);
        memory->b_reward[i] = memory->reward[at];
        memory->b_discount[i] = (real)gamma;
    }
    return (struct batch){.n = BATCH,
                          .obs = *memory->b_obs,
                          .next_obs = *memory->b_next,
                          .action = *memory->b_action,
                          .reward = memory->b_reward,
                          .discount = memory->b_discount};
}

static double evaluate(struct agent *agent, int episodes) {
    struct rng rng = rng_seed(99);
    double sum = 0;
    for (int e = 0; e < episodes; e++) {
        struct point point;
        point_reset(&point, &rng);
        while (point.step < EPISODE_STEPS) {
            real obs[OBS_DIM], action[ACTION_DIM];
            point_observe(&point, obs);
            agent_act(agent, &(struct encoder_input){.n = 1, .rows = obs}, 0, false, action);
            sum += point_step(&point, action);
        }
    }
    return sum / episodes;
}

static void collect_step(struct agent *agent, struct point *point, struct memory *memory,
                         int64_t step, struct rng *rng) {
    int at = memory->count++;
    if (point->step == EPISODE_STEPS) point_reset(point, rng);
    point_observe(point, memory->obs[at]);
    struct encoder_input input = {.n = 1, .rows = memory->obs[at]};
    agent_act(agent, &input, step, true, memory->action[at]);
    memory->reward[at] = (real)point_step(point, memory->action[at]);
    point_observe(point, memory->next[at]);
}

// --- agents and batches to test with -------------------------------------------------------------

static struct agent *make_agent(const char *name, const struct agent_spec *spec, struct pool *pool,
                                const char *extra_key, const char *extra_value) {
    struct config config = {0};
    static const char *const small[][2] = {
        {"batch", "64"},         {"hidden", "64"},
        {"n_step", "1"},         {"gamma", "0.9"},
        {"actor_lr", "1e-3"},    {"critic_lr", "1e-3"},
        {"random_steps", "500"}, {"critic_layer_norm", "false"},
    };
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        config_add(&config, name, small[i][0], small[i][1], "test", false);
    }
    if (extra_key) config_add(&config, name, extra_key, extra_value, "test", false);
    struct rl_error err = {0};
    struct agent *agent = agent_create(name, spec, &config, pool, &err);
    if (!agent) fail_msg("%s", err.message);
    config_release(&config);
    return agent;
}

static struct agent *make_small(const char *name, struct pool *pool) {
    struct agent_spec spec = {.feature_dim = OBS_DIM, .action_dim = ACTION_DIM, .seed = 7};
    return make_agent(name, &spec, pool, NULL, NULL);
}

static void fill_memory(struct memory *memory, uint64_t seed) {
    struct rng rng = rng_seed(seed);
    memory->count = CAPACITY;
    for (int i = 0; i < CAPACITY; i++) {
        for (int k = 0; k < OBS_DIM; k++) {
            memory->obs[i][k] = (real)rng_range(&rng, -1, 1);
            memory->next[i][k] = (real)rng_range(&rng, -1, 1);
        }
        for (int k = 0; k < ACTION_DIM; k++) memory->action[i][k] = (real)rng_range(&rng, -1, 1);
        memory->reward[i] = (real)rng_uniform(&rng);
    }
}

static void must_update(struct agent *agent, const struct batch *batch, struct metrics *metrics) {
    struct rl_error err = {0};
    if (agent_update(agent, batch, 1000, metrics, &err) != RL_OK) fail_msg("%s", err.message);
}

static void run_updates(struct agent *agent, struct memory *memory, struct rng *rng, int count) {
    for (int i = 0; i < count; i++) {
        struct metrics metrics;
        metrics_clear(&metrics);
        struct batch batch = memory_sample(memory, 0.9, rng);
        must_update(agent, &batch, &metrics);
    }
}

static void assert_same_params(const struct agent *a, const struct agent *b) {
    size_t bytes = a->params.count * sizeof(real);
    assert_memory_equal(a->params.value, b->params.value, bytes);
    assert_memory_equal(a->target.value, b->target.value, bytes);
}

static void for_each_agent(void (*check)(const char *name)) {
    assert_true(agent_count() > 0);
    for (int i = 0; i < agent_count(); i++) check(agent_at(i)->name);
}

// --- the checks ----------------------------------------------------------------------------------

// A policy that stays put gets 3.7, one that ignores the goal 5.1, one that walks straight to it
// 17.9.
#define TOY_BOUND 15.0

static void check_learns(const char *name) {
    struct agent *agent = make_small(name, NULL);
    struct memory *memory = MEM_NEW(struct memory);
    struct rng rng = rng_seed(1);
    struct point point = {.step = EPISODE_STEPS};
    for (int step = 0; step < 3000; step++) {
        collect_step(agent, &point, memory, step, &rng);
        if (step < 500) continue;
        run_updates(agent, memory, &rng, 1);
    }
    double score = evaluate(agent, 50);
    if (score < TOY_BOUND) fail_msg("%s: toy return %.2f, wanted %.2f", name, score, TOY_BOUND);
    mem_free(memory);
    agent_destroy(agent);
}

static void test_learns(void **state) {
    (void)state;
    for_each_agent(check_learns);
}

static void check_acts(const char *name) {
    struct agent *agent = make_small(name, NULL);
    real obs[3][OBS_DIM] = {{0.1f, -0.2f, 0.3f, 0.4f}, {9, -9, 9, -9}, {0}};
    struct encoder_input one = {.n = 1, .rows = obs[0]}, three = {.n = 3, .rows = obs[0]};
    real a[3][ACTION_DIM], b[3][ACTION_DIM];
    agent_act(agent, &one, 5000, false, a[0]);
    agent_act(agent, &three, 5000, false, b[0]);
    // The mean action has no noise, and a row does not depend on the others.
    for (int k = 0; k < ACTION_DIM; k++) {
        assert_true(fabs((double)(a[0][k] - b[0][k])) < 1e-6);
    }
    // Random steps are uniform: mean 0, variance 1/3. Later ones explore around the mean.
    for (int phase = 0; phase < 2; phase++) {
        double sum = 0, square = 0;
        for (int i = 0; i < 2000; i++) {
            agent_act(agent, &one, phase ? 1000 : 0, true, a[0]);
            for (int k = 0; k < ACTION_DIM; k++) {
                assert_true(a[0][k] >= -1 && a[0][k] <= 1);
                sum += (double)a[0][k];
                square += (double)(a[0][k] * a[0][k]);
            }
        }
        double mean = sum / 4000, variance = square / 4000 - mean * mean;
        if (phase == 0) assert_true(fabs(mean) < 0.05 && fabs(variance - 1.0 / 3) < 0.03);
        if (phase == 1) assert_true(variance > 1e-4);
    }
    agent_destroy(agent);
}

static void test_acts(void **state) {
    (void)state;
    for_each_agent(check_acts);
}

static void check_repeats(const char *name) {
    struct memory *memory = MEM_NEW(struct memory);
    fill_memory(memory, 3);
    struct rl_error err = {0};
    struct pool *pool = pool_create(2, &err);
    assert_non_null(pool);
    struct agent *agents[2] = {make_small(name, NULL), make_small(name, pool)};
    for (int i = 0; i < 2; i++) {
        struct rng rng = rng_seed(4);
        run_updates(agents[i], memory, &rng, 20);
    }
    assert_same_params(agents[0], agents[1]);
    struct agent_spec other = agents[0]->spec;
    other.seed++;
    struct agent *third = make_agent(name, &other, NULL, NULL, NULL);
    assert_memory_not_equal(third->params.value, agents[0]->params.value,
                            agents[0]->params.count * sizeof(real));
    agent_destroy(agents[0]);
    agent_destroy(agents[1]);
    agent_destroy(third);
    pool_destroy(pool);
    mem_free(memory);
}

static void test_same_seed_same_bits(void **state) {
    (void)state;
    for_each_agent(check_repeats);
}

// Saves into, or loads from, a buffer; names are compared on loading.
struct memory_visitor {
    struct state_visitor visitor;
    unsigned char data[1 << 20];
    char names[128][160];
    size_t at;
    int n;
    bool loading;
};

static void visit_memory(struct state_visitor *visitor, const char *name, void *data, size_t size) {
    struct memory_visitor *memory = (struct memory_visitor *)visitor;
    assert_true(memory->at + size <= sizeof memory->data && memory->n < 128);
    if (memory->loading) {
        assert_string_equal(memory->names[memory->n], name);
        memcpy(data, memory->data + memory->at, size);
    } else {
        for (int i = 0; i < memory->n; i++) assert_string_not_equal(memory->names[i], name);
        snprintf(memory->names[memory->n], sizeof memory->names[0], "%s", name);
        memcpy(memory->data + memory->at, data, size);
    }
    memory->at += size;
    memory->n++;
}

// Updates and actions after this point, all of which must agree.
static void continue_run(struct agent *agent, struct memory *memory, real *actions) {
    struct rng rng = rng_seed(5);
    run_updates(agent, memory, &rng, 7);
    for (int i = 0; i < 5; i++) {
        struct encoder_input input = {.n = 1, .rows = memory->obs[i]};
        agent_act(agent, &input, 2000, true, actions + i * ACTION_DIM);
    }
}

static void check_save_load(const char *name) {
    struct memory *memory = MEM_NEW(struct memory);
    struct memory_visitor *saved = MEM_NEW(struct memory_visitor);
    saved->visitor.bytes = visit_memory;
    fill_memory(memory, 3);
    struct agent *agent = make_small(name, NULL), *loaded = make_small(name, NULL);
    real first[5 * ACTION_DIM], second[5 * ACTION_DIM];
    struct rng rng = rng_seed(4);
    run_updates(agent, memory, &rng, 5);
    agent_act(agent, &(struct encoder_input){.n = 1, .rows = memory->obs[0]}, 2000, true, first);
    agent_visit(agent, "agent", &saved->visitor);
    assert_string_equal(saved->visitor.prefix, "");
    continue_run(agent, memory, first);

    int count = saved->n;
    saved->at = 0, saved->n = 0, saved->loading = true;
    agent_visit(loaded, "agent", &saved->visitor);
    assert_int_equal(saved->n, count);
    continue_run(loaded, memory, second);
    assert_same_params(agent, loaded);
    assert_memory_equal(first, second, sizeof first);
    assert_int_equal(agent->updates, loaded->updates);
    agent_destroy(agent);
    agent_destroy(loaded);
    mem_free(saved);
    mem_free(memory);
}

static void test_save_load_continues(void **state) {
    (void)state;
    for_each_agent(check_save_load);
}

static void check_allocation(const char *name) {
    struct memory *memory = MEM_NEW(struct memory);
    fill_memory(memory, 3);
    struct agent *agent = make_small(name, NULL);
    struct rng rng = rng_seed(4);
    real action[ACTION_DIM];
    struct encoder_input input = {.n = 1, .rows = memory->obs[0]};
    run_updates(agent, memory, &rng, 2);
    uint64_t before = mem_allocation_count();
    run_updates(agent, memory, &rng, 100);
    for (int i = 0; i < 100; i++) agent_act(agent, &input, 1000, true, action);
    assert_int_equal(mem_allocation_count() - before, 0);
    struct arena *arena = tape_arena(agent->tape);
    assert_true(arena->peak_bytes <= arena->size_bytes);
    agent_destroy(agent);
    mem_free(memory);
}

static void test_update_allocates_nothing(void **state) {
    (void)state;
    for_each_agent(check_allocation);
}

// Importance weights scale the critic's loss; td_error is what the loss is made of.
static void check_weights(const char *name) {
    struct memory *memory = MEM_NEW(struct memory);
    fill_memory(memory, 3);
    real weight[BATCH], td_error[BATCH];
    double losses[3], norms[3], td_square = 0;
    for (int round = 0; round < 3; round++) {
        struct agent *agent = make_small(name, NULL);
        struct rng rng = rng_seed(4);
        struct batch batch = memory_sample(memory, 0.9, &rng);
        for (int i = 0; i < BATCH; i++) weight[i] = round == 1 ? 2 : 0;
        if (round > 0) batch.weight = weight;
        if (round == 0) batch.td_error = td_error;
        struct metrics metrics;
        metrics_clear(&metrics);
        must_update(agent, &batch, &metrics);
        losses[round] = metrics_get(&metrics, "critic_loss");
        norms[round] = metrics_get(&metrics, "critic_grad_norm");
        static const char *const wanted[] = {"q_mean", "target_q", "actor_loss", "saturation",
                                             "actor_grad_norm"};
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
            assert_true(isfinite(metrics_get(&metrics, wanted[i])));
        }
        agent_destroy(agent);
    }
    assert_true(fabs(losses[1] - 2 * losses[0]) < 1e-5 * losses[0]);
    assert_true(fabs(norms[1] - 2 * norms[0]) < 1e-4 * norms[0]);
    assert_true(losses[2] == 0 && norms[2] == 0);
    for (int i = 0; i < BATCH; i++) td_square += (double)(td_error[i] * td_error[i]) / BATCH;
    // The larger error of twins: at least half of their summed loss, at most all of it.
    assert_true(td_square >= 0.5 * losses[0] - 1e-6 && td_square <= losses[0] + 1e-6);
    mem_free(memory);
}

static void test_weights_and_td_errors(void **state) {
    (void)state;
    for_each_agent(check_weights);
}

// With nothing after the reward, the error of a reward far above the critics is reward - value.
static void check_value(const char *name) {
    struct agent *agent = make_small(name, NULL);
    real obs[OBS_DIM] = {(real)0.3, (real)-0.2}, action[ACTION_DIM] = {(real)0.5};
    real reward = 1000, discount = 0, error = 0;
    struct batch batch = {.n = 1,
                          .obs = obs,
                          .next_obs = obs,
                          .action = action,
                          .reward = &reward,
                          .discount = &discount,
                          .td_error = &error};
    struct metrics metrics;
    metrics_clear(&metrics);
    double value = (double)agent_value(agent, &(struct encoder_input){.n = 1, .rows = obs}, action);
    must_update(agent, &batch, &metrics);
    assert_true(value != 0);
    assert_true(fabs((double)error - (1000 - value)) < 1e-3);
    agent_destroy(agent);
}

static void test_value(void **state) {
    (void)state;
    for_each_agent(check_value);
}

static void check_not_finite(const char *name) {
    struct memory *memory = MEM_NEW(struct memory);
    fill_memory(memory, 3);
    struct agent *agent = make_small(name, NULL), *untouched = make_small(name, NULL);
    struct rng rng = rng_seed(4);
    struct batch batch = memory_sample(memory, 0.9, &rng);
    memory->b_reward[3] = (real)NAN;
    struct metrics metrics;
    metrics_clear(&metrics);
    struct rl_error err = {0};
    assert_int_equal(agent_update(agent, &batch, 0, &metrics, &err), RL_ENUMERIC);
    assert_non_null(strstr(err.message, "critic."));
    assert_non_null(strstr(err.message, name));
    assert_same_params(agent, untouched);
    agent_destroy(agent);
    agent_destroy(untouched);
    mem_free(memory);
}

static void test_not_finite_is_named(void **state) {
    (void)state;
    for_each_agent(check_not_finite);
}

// --- end to end: a small encoder of pixels that only the critic may train ------------------------

#define PIXELS (8 * 8 * 3)

static struct conv test_conv;

static struct tensor *test_encoder_forward(struct encoder *encoder, struct tape *tape,
                                           const struct params *params,
                                           const struct encoder_input *input) {
    (void)encoder;
    int dim[4] = {input->n, 8, 8, 3};
    struct tensor *y = conv_u8(tape, params, &test_conv, input->pixels, dim, 1.0 / 255, -0.5, true);
    return op_flatten(tape, y);
}

static size_t test_encoder_bytes(const struct encoder *encoder, int n) {
    return (size_t)n * (size_t)encoder->out_dim * 4 * sizeof(real) + (1 << 16);
}

static struct encoder make_encoder(struct encoder_ops *ops) {
    *ops = (struct encoder_ops){
        .name = "test", .forward = test_encoder_forward, .tape_bytes = test_encoder_bytes};
    struct encoder encoder = {.ops = ops, .spec.in_dim = {8, 8, 3}, .out_dim = 6 * 6 * 4};
    test_conv =
        conv_add(&encoder.params, "encoder.0", 3, 4, 3, 1, 0, (struct init){INIT_ORTHOGONAL, 1});
    struct rng rng = rng_seed(2);
    params_finish(&encoder.params, true, &rng);
    return encoder;
}

static double grad_norm(const struct params *params) {
    double square = 0;
    for (size_t i = 0; i < params->count; i++) square += pow((double)params->grad[i], 2);
    return sqrt(square);
}

static void check_end_to_end(const char *name) {
    struct memory *memory = MEM_NEW(struct memory);
    fill_memory(memory, 3);
    struct encoder_ops ops;
    struct encoder encoder = make_encoder(&ops);
    struct agent_spec spec = {.action_dim = ACTION_DIM, .encoder = &encoder, .seed = 7};
    struct agent *agent = make_agent(name, &spec, NULL, NULL, NULL);
    assert_true(params_find(&agent->params, "critic.trunk.0.weight") >= 0);

    uint8_t *pixels = mem_alloc((size_t)2 * BATCH * PIXELS);
    struct rng rng = rng_seed(6);
    for (int i = 0; i < 2 * BATCH * PIXELS; i++) pixels[i] = (uint8_t)rng_below(&rng, 256);
    real action[ACTION_DIM], weight[BATCH] = {0};
    agent_act(agent, &(struct encoder_input){.n = 1, .pixels = pixels}, 1000, true, action);

    struct batch batch = memory_sample(memory, 0.9, &rng);
    batch.obs = batch.next_obs = NULL;
    batch.pixels = pixels;
    batch.next_pixels = pixels + (size_t)BATCH * PIXELS;
    real *before = MEM_ARRAY(real, encoder.params.count);
    memcpy(before, encoder.params.value, encoder.params.count * sizeof(real));
    struct metrics metrics;
    metrics_clear(&metrics);
    must_update(agent, &batch, &metrics);
    assert_true(grad_norm(&encoder.params) > 0);
    assert_memory_equal(before, encoder.params.value, encoder.params.count * sizeof(real));

    // Without the critic's loss nothing is left: the actor's does not reach the encoder.
    params_zero_grad(&encoder.params);
    batch.weight = weight;
    must_update(agent, &batch, &metrics);
    assert_true(grad_norm(&encoder.params) == 0);
    assert_true(metrics_get(&metrics, "actor_loss") != 0);
    mem_free(before);
    mem_free(pixels);
    agent_destroy(agent);
    params_release(&encoder.params);
    mem_free(memory);
}

static void test_end_to_end(void **state) {
    (void)state;
    for_each_agent(check_end_to_end);
}

// --- options and noise ---------------------------------------------------------------------------

static void test_errors(void **state) {
    (void)state;
    struct agent_spec spec = {.feature_dim = OBS_DIM, .action_dim = ACTION_DIM};
    struct rl_error err = {0};
    assert_null(agent_create("ddpf", &spec, NULL, NULL, &err));
    assert_int_equal(err.code, RL_ENOTFOUND);
    assert_non_null(strstr(err.message, "did you mean 'ddpg'"));
    struct config config = {0};
    config_add(&config, "ddpg", "tau", "2", "--ddpg.tau", true);
    assert_null(agent_create("ddpg", &spec, &config, NULL, &err));
    assert_int_equal(err.code, RL_EUSAGE);
    config_release(&config);
    struct agent *agent = agent_create("ddpg", &spec, NULL, NULL, &err);
    assert_non_null(agent);
    assert_int_equal(agent->schedule.batch, 256);
    assert_int_equal(agent->schedule.n_step, 3);
    agent_destroy(agent);
}

// Every option changes what an update does, and its networks fit the tape.
static void check_options(const char *name) {
    static const char *const options[][2] = {
        {"critic_layer_norm", "true"},
        {"clipped_double_q", "false"},
        {"clip_norm", "0.01"},
        {"critic_decay", "0.1"},
        {"policy_delay", "3"},
        {"trunk", "8"},
        {"layers", "1"},
        {"tau", "0.5"},
    };
    struct memory *memory = MEM_NEW(struct memory);
    fill_memory(memory, 3);
    struct agent *plain = make_small(name, NULL);
    struct rng rng = rng_seed(4);
    run_updates(plain, memory, &rng, 4);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        struct agent *other = make_agent(name, &plain->spec, NULL, options[i][0], options[i][1]);
        rng = rng_seed(4);
        run_updates(other, memory, &rng, 4);
        bool same =
            other->params.count == plain->params.count &&
            !memcmp(other->target.value, plain->target.value, plain->target.count * sizeof(real));
        if (same) fail_msg("%s: option %s does nothing", name, options[i][0]);
        agent_destroy(other);
    }
    agent_destroy(plain);
    mem_free(memory);
}

static void test_options_matter(void **state) {
    (void)state;
    for_each_agent(check_options);
}

// The mean size of the policy's actions after updates in which one direction always pays.
static double action_size(const char *penalty) {
    struct agent_spec spec = {.feature_dim = OBS_DIM, .action_dim = ACTION_DIM, .seed = 7};
    struct agent *agent = make_agent("ddpg", &spec, NULL, "pre_tanh_penalty", penalty);
    struct memory *memory = MEM_NEW(struct memory);
    fill_memory(memory, 3);
    for (int i = 0; i < CAPACITY; i++) memory->reward[i] = 10 * memory->action[i][0];
    struct rng rng = rng_seed(4);
    run_updates(agent, memory, &rng, 400);
    double sum = 0;
    for (int i = 0; i < 100; i++) {
        real action[ACTION_DIM];
        struct encoder_input input = {.n = 1, .rows = memory->obs[i]};
        agent_act(agent, &input, 0, false, action);
        sum += fabs((double)action[0]) / 100;
    }
    mem_free(memory);
    agent_destroy(agent);
    return sum;
}

static void test_penalty_keeps_off_the_edge(void **state) {
    (void)state;
    assert_true(action_size("0") > 0.99);
    assert_true(action_size("10") < 0.9);
}

// Exploration with OU noise is correlated as its theta says and as strong as the schedule says.
static void test_ou_noise(void **state) {
    (void)state;
    struct config config = {0};
    static const char *const options[][2] = {{"noise", "ou"},       {"random_steps", "0"},
                                             {"noise_from", "0.1"}, {"noise_to", "0.1"},
                                             {"ou_theta", "0.2"},   {"hidden", "8"}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        config_add(&config, "ddpg", options[i][0], options[i][1], "test", false);
    }
    struct agent_spec spec = {.feature_dim = OBS_DIM, .action_dim = 1, .seed = 7};
    struct rl_error err = {0};
    struct agent *agent = agent_create("ddpg", &spec, &config, NULL, &err);
    assert_non_null(agent);
    real obs[OBS_DIM] = {0}, mean, action;
    struct encoder_input input = {.n = 1, .rows = obs};
    agent_act(agent, &input, 0, false, &mean);
    double square = 0, product = 0, last = 0;
    int count = 40000;
    for (int i = 0; i < count; i++) {
        agent_act(agent, &input, i, true, &action);
        double x = (double)(action - mean);
        square += x * x / count;
        product += x * last / count;
        last = x;
    }
    assert_true(fabs(sqrt(square) - 0.1) < 0.005);
    assert_true(fabs(product / square - 0.8) < 0.02);
    agent_destroy(agent);
    config_release(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_acts),
        cmocka_unit_test(test_same_seed_same_bits),
        cmocka_unit_test(test_save_load_continues),
        cmocka_unit_test(test_update_allocates_nothing),
        cmocka_unit_test(test_weights_and_td_errors),
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_not_finite_is_named),
        cmocka_unit_test(test_end_to_end),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_options_matter),
        cmocka_unit_test(test_penalty_keeps_off_the_edge),
        cmocka_unit_test(test_ou_noise),
    };
    return cmocka_run_group_tests_name("agents", tests, NULL, NULL);
}
