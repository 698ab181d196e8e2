// What a policy sees, drawn for people: the frames of its stack, and a ViT's attention.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/mem.h"
#include "train/policy_picture.h"

struct fixture {
    struct parts parts;
    struct policy policy;
    struct env *env;
    struct time_step step;
};

static void open_policy(struct fixture *f, const char *encoder) {
    struct config config = {0};
    struct rl_error err = {0};
    memset(f, 0, sizeof(*f));
    config_add(&config, "", "env", "cartpole", "test", false);
    config_add(&config, "", "encoder", encoder, "test", false);
    enum rl_status status = parts_read_options(&f->parts, "ddpg", &config, &err);
    if (status == RL_OK) {
        f->env = env_create(f->parts.run.env, &f->parts.env, 1, &err);
        status = f->env ? RL_OK : err.code;
    }
    if (status == RL_OK) {
        status = parts_create(&f->parts, &config, env_spec(f->env), true, NULL, NULL, &err);
    }
    if (status == RL_OK) status = policy_init(&f->policy, &f->parts, &err);
    if (status == RL_OK) status = env_reset(f->env, &f->step, &err);
    if (status != RL_OK) fail_msg("%s", err.message);
    policy_observe(&f->policy, &f->step);
    config_release(&config);
}

static void close_policy(struct fixture *f) {
    policy_release(&f->policy);
    parts_release(&f->parts);
    env_destroy(f->env);
}

static void act(struct fixture *f) {
    const double push[1] = {1};
    struct rl_error err = {0};
    assert_int_equal(env_step(f->env, push, &f->step, &err), RL_OK);
    policy_observe(&f->policy, &f->step);
}

// Pixels of column `place` that differ from the frame.
static int differing(const uint8_t *picture, const int dim[2], int place, const uint8_t *frame) {
    int count = 0;
    for (int y = 0; y < 84; y++) {
        for (int x = 0; x < 84; x++) {
            count += memcmp(picture + ((size_t)y * dim[1] + place * 84 + x) * 3,
                            frame + ((size_t)y * 84 + x) * 3, 3) != 0;
        }
    }
    return count;
}

static void frames_of_the_stack(void **state) {
    (void)state;
    struct fixture f;
    int dim[2];
    open_policy(&f, "cnn");
    policy_picture_dim(&f.policy, dim);
    assert_true(dim[0] == 84 && dim[1] == 3 * 84);
    uint8_t *picture = mem_alloc(3 * 84 * 3 * 84), *first = mem_alloc(84 * 84 * 3);
    memcpy(first, f.step.frame, 84 * 84 * 3);
    policy_picture(&f.policy, picture);
    for (int i = 0; i < 3; i++) assert_int_equal(differing(picture, dim, i, first), 0);
    act(&f);
    policy_picture(&f.policy, picture);
    assert_int_equal(differing(picture, dim, 1, first), 0); // the oldest at the left
    assert_int_equal(differing(picture, dim, 2, f.step.frame), 0);
    assert_true(differing(picture, dim, 2, first) > 10);
    mem_free(picture);
    mem_free(first);
    close_policy(&f);
}

static void attention(void **state) {
    (void)state;
    struct fixture f;
    int dim[2];
    open_policy(&f, "vit"); // end to end
    policy_picture_dim(&f.policy, dim);
    assert_true(dim[0] == 84 && dim[1] == 4 * 84);
    uint8_t *picture = mem_alloc(84 * 4 * 84 * 3), *again = mem_alloc(84 * 4 * 84 * 3);
    policy_picture(&f.policy, picture);
    assert_int_equal(differing(picture, dim, 2, f.step.frame), 0);
    assert_true(differing(picture, dim, 3, f.step.frame) > 6000); // dark, or lit
    // Another encoder looks elsewhere.
    struct params *params = &f.parts.encoder->params;
    for (size_t i = 0; i < params->count; i++) params->value[i] *= i % 2 ? 3 : -3;
    policy_picture(&f.policy, again);
    assert_true(memcmp(picture, again, 84 * 4 * 84 * 3) != 0);
    // Drawing changes nothing of what the policy does.
    double before[1], after[1];
    policy_act(&f.policy, before);
    policy_picture(&f.policy, again);
    policy_act(&f.policy, after);
    assert_true(before[0] == after[0] && before[0] != 0);
    double value = policy_value(&f.policy, before);
    assert_true(value == value && value == policy_value(&f.policy, before));
    mem_free(picture);
    mem_free(again);
    close_policy(&f);
}

static void states_have_no_picture(void **state) {
    (void)state;
    struct fixture f;
    int dim[2] = {1, 1};
    open_policy(&f, "state");
    policy_picture_dim(&f.policy, dim);
    assert_true(dim[0] == 0 && dim[1] == 0);
    close_policy(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_the_stack),
        cmocka_unit_test(attention),
        cmocka_unit_test(states_have_no_picture),
    };
    return cmocka_run_group_tests_name("policy_picture", tests, NULL, NULL);
}
