// The encoder role of a tick: SSL steps, and re-encoding the replay for a publish under way.
#include <math.h>

#include "train/trainer.h"

#define ENTRIES_BEFORE_SSL 300 // a first batch from fewer would repeat the same few frames

static bool has_encoder_role(const struct trainer *trainer) {
    return trainer->parts.features == FEATURE_KIND_LATENTS;
}

enum rl_status encoder_role_create(struct trainer *trainer, struct rl_error *err) {
    const struct parts *parts = &trainer->parts;
    if (!has_encoder_role(trainer)) return RL_OK;
    if (parts->agent->schedule.random_steps < ENTRIES_BEFORE_SSL) {
        return rl_fail(
            err, RL_EUSAGE,
            "%s.random_steps = %lld: with an encoder beside the policy at least %d are needed",
            parts->agent_name, (long long)parts->agent->schedule.random_steps, ENTRIES_BEFORE_SSL);
    }
    trainer->encode_tape =
        tape_create(encoder_tape_bytes(parts->encoder, SNAPSHOT_BATCH), NULL, err);
    if (!trainer->encode_tape) return RL_ENOMEM;
    enum rl_status status = publisher_init(&trainer->publisher, parts->encoder, trainer->replay,
                                           parts->loop.latent_clip, err);
    trainer->publisher.candidate.comm = trainer->comm;
    return status;
}

void encoder_role_release(struct trainer *trainer) {
    if (trainer->publisher.candidate.encoder) publisher_release(&trainer->publisher);
    tape_destroy(trainer->encode_tape);
}

static bool learns(const struct trainer *trainer) {
    const struct loop_options *loop = &trainer->parts.loop;
    return trainer->parts.ssl && (loop->ssl_until == 0 || trainer->count.steps < loop->ssl_until);
}

// Until the first publish, at the end of the random steps, ssl_first steps are spread evenly.
static double ssl_rate(const struct trainer *trainer) {
    const struct loop_options *loop = &trainer->parts.loop;
    int64_t random_steps = trainer->parts.agent->schedule.random_steps;
    bool random = has_encoder_role(trainer) && trainer->count.steps < random_steps;
    return random ? (double)loop->ssl_first / (double)random_steps : loop->ssl_per_step;
}

static const struct params *publish_weights(const struct trainer *trainer) {
    const struct parts *parts = &trainer->parts;
    bool target = parts->loop.source == PUBLISH_SOURCE_TARGET && parts->ssl &&
                  parts->ssl->target_encoder.count > 0;
    return target ? &parts->ssl->target_encoder : &parts->encoder->params;
}

void encoder_role_plan(struct trainer *trainer) {
    struct counters *count = &trainer->count;
    trainer->window = replay_window(trainer->replay);
    trainer->tick_ssl_steps = 0;
    if (learns(trainer)) {
        count->ssl_debt += (double)trainer->tick_steps * ssl_rate(trainer);
        int64_t entries = trainer->window.end - trainer->window.begin;
        if (comm_least(trainer->comm, COMM_POLICY, entries) >= ENTRIES_BEFORE_SSL) {
            trainer->tick_ssl_steps = (int64_t)floor(count->ssl_debt);
            count->ssl_debt -= (double)trainer->tick_ssl_steps;
        }
    }
    bool due = has_encoder_role(trainer) && trainer->parts.snapshot.version > 0 &&
               learns(trainer) && count->steps >= count->next_publish && !trainer->publisher.active;
    if (due) publisher_begin(&trainer->publisher, publish_weights(trainer), trainer->window);
}

enum rl_status encoder_role_run(struct trainer *trainer, struct rl_error *err) {
    struct parts *parts = &trainer->parts;
    struct ssl_source source = {.replay = trainer->replay, .window = trainer->window};
    for (int64_t i = 0; i < trainer->tick_ssl_steps; i++) {
        enum rl_status status = ssl_update(parts->ssl, &source, &trainer->encoder_metrics, err);
        if (status != RL_OK) return status;
        trainer->count.ssl_steps++;
    }
    if (!trainer->publisher.active) return RL_OK;
    double entries = (double)trainer->tick_steps * parts->loop.encode_per_step;
    trainer->publish_left =
        publisher_advance(&trainer->publisher, trainer->encode_tape, trainer->replay,
                          trainer->window, (int64_t)ceil(entries));
    return trainer->latent_store ? latent_store_spill(trainer->latent_store, err) : RL_OK;
}

static int64_t next_publish(const struct trainer *trainer) {
    const struct loop_options *loop = &trainer->parts.loop;
    int64_t steps = trainer->count.steps;
    int64_t grown = (int64_t)ceil((double)steps * loop->publish_growth);
    return grown > steps + loop->publish_min ? grown : steps + loop->publish_min;
}

enum rl_status encoder_role_join(struct trainer *trainer, struct rl_error *err) {
    struct parts *parts = &trainer->parts;
    if (!has_encoder_role(trainer)) return RL_OK;
    bool first =
        parts->snapshot.version == 0 && trainer->count.steps >= parts->agent->schedule.random_steps;
    if (first) publisher_begin(&trainer->publisher, publish_weights(trainer), trainer->window);
    bool complete = trainer->publisher.active &&
                    comm_most(trainer->comm, COMM_POLICY, trainer->publish_left) < SNAPSHOT_BATCH;
    if (!first && !complete) return RL_OK;
    bool align = parts->loop.align == PUBLISH_ALIGN_ROTATE;
    double correlation = publisher_commit(&trainer->publisher, trainer->encode_tape,
                                          trainer->replay, &parts->snapshot, align);
    metrics_add(&trainer->encoder_metrics, "publish_correlation", correlation);
    trainer->count.publishes++;
    trainer->count.next_publish = next_publish(trainer);
    enum rl_status status = RL_OK;
    for (int64_t i = 0; !first && i < parts->loop.catch_up && status == RL_OK; i++) {
        status = policy_role_update(trainer, err);
    }
    return status;
}
