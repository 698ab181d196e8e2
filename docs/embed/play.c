/* A whole program with librlrun: random actions, or a trained policy, for one episode.
 *
 *     cc play.c $(pkg-config --cflags --libs rlrun) -o play
 *     ./play cheetah-run            or            ./play cheetah-run runs/ddpg_cheetah-run_byol_s1
 */
#include <rlrun.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, rlrun_error());
    exit(1);
}

int main(int argc, char **argv) {
    struct rlrun_task_options options = {0};
    struct rlrun_task_facts task_facts;
    struct rlrun_policy_facts policy_facts = {0};
    struct rlrun_policy *policy = NULL;
    struct rlrun_task *task;
    struct rlrun_step step;
    double action[64], total = 0;
    long steps = 0, sum = 0, i;

    if (argc < 2) {
        fprintf(stderr, "usage: play TASK [RUN]\n");
        return 2;
    }
    options.pixels = 1;
    options.seed = 7;
    if (argc > 2) {
        policy = rlrun_policy_load(argv[2]);
        if (!policy) fail(argv[2]);
        rlrun_policy_describe(policy, &policy_facts);
        options.action_repeat = policy_facts.action_repeat;
        if (policy_facts.frame_dim[0]) options.image_size = policy_facts.frame_dim[0];
    }
    task = rlrun_task_create(argv[1], &options);
    if (!task) fail(argv[1]);
    rlrun_task_describe(task, &task_facts);
    if (rlrun_task_reset(task, &step) < 0) fail("reset");
    while (!step.last) {
        for (i = 0; i < task_facts.action_dim; i++) action[i] = 2.0 * rand() / RAND_MAX - 1;
        if (policy &&
            rlrun_policy_act(policy, step.frame, step.observation, step.first, action) < 0)
            fail("act");
        if (rlrun_task_step(task, action, &step) < 0) fail("step");
        total += step.reward;
        steps++;
    }
    for (i = 0; i < task_facts.frame_dim[0] * task_facts.frame_dim[1] * task_facts.frame_dim[2];
         i++)
        sum += step.frame[i];
    printf("%s: %ld steps, return %.3f, mean of the last frame %.1f\n", task_facts.name, steps,
           total, (double)sum / (double)i);
    rlrun_policy_destroy(policy);
    rlrun_task_destroy(task);
    return 0;
}
