#include "cli/train_session.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "cli/command.h"
#include "train/progress.h"
#include "viewer/video.h"

static volatile int stop_requested; // set by the handler, read by the loop between ticks

static void request_stop(int signal_number) {
    if (stop_requested) signal(signal_number, SIG_DFL); // a second one ends the process at once
    stop_requested = 1;
}

// A warning takes the progress line's place; the next update shows that again. Both roles may warn
// at once; progress itself moves only between ticks.
static void log_beside_progress(enum log_level level, const char *line, void *context) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    progress_clear(context);
    command_log(level, line, NULL);
    pthread_mutex_unlock(&lock);
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
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = request_stop}, old[3];
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < 3; i++) sigaction(signals[i], &action, &old[i]);
    trainer->stop = &stop_requested;
    trainer->make_gif = video_gif;
    struct progress progress;
    struct progress_state state = progress_state(trainer);
    bool shown = comm_rank(trainer->comm) == 0;
    if (shown)
        fprintf(stderr, "run folder %s; agent %s, environment %s, encoder %s, seed %lld\n",
                trainer->run_dir, trainer->parts.agent_name, env_spec(trainer->env)->name,
                trainer->parts.run.encoder, (long long)trainer->parts.run.seed);
    progress_start(&progress, shown ? stderr : NULL, &state);
    log_set_handler(log_beside_progress, &progress);
    enum rl_status status = trainer_run(trainer, on_progress, &progress, err);
    log_set_handler(command_log, NULL);
    progress_stop(&progress);
    for (int i = 0; i < 3; i++) sigaction(signals[i], &old[i], NULL);
    if (status != RL_OK || !shown) return status;
    printf("%s: %lld steps, %lld frames, %lld updates in %.1f s; ", trainer->run_dir,
           (long long)trainer->count.steps, (long long)trainer->count.frames,
           (long long)trainer->count.updates, trainer_wall_s(trainer));
    if (isnan(trainer->count.eval_return)) {
        printf("ended before the first encoder was published, so without an evaluation\n");
    } else {
        printf("evaluation return %.1f\n", trainer->count.eval_return);
    }
    return RL_OK;
}
