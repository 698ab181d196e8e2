#include "cli/train_session.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>

#include "train/progress.h"

static volatile int stop_requested; // set by the handler, read by the loop between ticks

static void request_stop(int signal_number) {
    if (stop_requested) signal(signal_number, SIG_DFL); // a second one ends the process at once
    stop_requested = 1;
}

static struct progress_state progress_state(const struct trainer *trainer) {
    return (struct progress_state){.frames = trainer->count.frames,
                                   .steps = trainer->count.steps,
                                   .updates = trainer->count.updates,
                                   .total_steps = trainer->parts.run.steps,
                                   .metrics = &trainer->shown};
}

static void on_progress(void *context, const struct trainer *trainer) {
    struct progress_state state = progress_state(trainer);
    progress_update(context, &state);
}

enum rl_status train_session(struct trainer *trainer, struct rl_error *err) {
    struct sigaction action = {.sa_handler = request_stop}, old_int, old_term;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &old_int);
    sigaction(SIGTERM, &action, &old_term);
    trainer->stop = &stop_requested;
    struct progress progress;
    struct progress_state state = progress_state(trainer);
    fprintf(stderr, "run folder %s; agent %s, environment %s, encoder %s, seed %lld\n",
            trainer->run_dir, trainer->parts.agent_name, env_spec(trainer->env)->name,
            trainer->parts.run.encoder, (long long)trainer->parts.run.seed);
    progress_start(&progress, stderr, &state);
    enum rl_status status = trainer_run(trainer, on_progress, &progress, err);
    progress_stop(&progress);
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    if (status != RL_OK) return status;
    printf("%s: %lld steps, %lld frames, %lld updates in %.1f s; evaluation return %.1f\n",
           trainer->run_dir, (long long)trainer->count.steps, (long long)trainer->count.frames,
           (long long)trainer->count.updates, trainer_wall_s(trainer), trainer->count.eval_return);
    return RL_OK;
}
