// What a run leaves on the disk: the log, checkpoints with the replay, final weights. Wall time
// stays out of checkpoints and weights, so that equal runs leave equal files; it has a file of its
// own, wall_s.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "nn/safetensors.h"
#include "train/checkpoint.h"
#include "train/trainer.h"

// Other ranks keep one more than rank 0, whose file makes a checkpoint valid: when it is missing,
// theirs of the one before is still there.
static int store_keep(const struct trainer *trainer) {
    return (int)trainer->parts.run.keep_checkpoints + (comm_rank(trainer->comm) > 0);
}

static enum rl_status open_store(struct trainer *trainer, const char *run_dir,
                                 struct rl_error *err) {
    snprintf(trainer->run_dir, sizeof trainer->run_dir, "%s", run_dir);
    trainer->env_state = mem_alloc(env_state_bytes(trainer->env));
    trainer->kept = MEM_ARRAY(struct kept_checkpoint, store_keep(trainer));
    char folder[4200];
    file_join(folder, sizeof folder, trainer->run_dir, "replay");
    trainer->replay_store = replay_store_create(folder);
    if (trainer->publisher.candidate.encoder) {
        trainer->latent_store = latent_store_create(folder, trainer->replay,
                                                    &trainer->parts.snapshot, &trainer->publisher);
    }
    trainer->logger = logger_create(trainer->run_dir, err);
    return trainer->logger ? RL_OK : err->code;
}

void store_release(struct trainer *trainer) {
    logger_destroy(trainer->logger);
    replay_store_destroy(trainer->replay_store);
    latent_store_destroy(trainer->latent_store);
    mem_free(trainer->kept);
    mem_free(trainer->env_state);
}

enum rl_status trainer_start(struct trainer *trainer, const char *run_dir, struct rl_error *err) {
    enum rl_status status = open_store(trainer, run_dir, err);
    if (status == RL_OK) status = logger_begin(trainer->logger, trainer->count.steps, err);
    if (status != RL_OK) return status;
    struct text yaml = {0};
    text_add(&yaml, "```yaml\n");
    size_t begin = yaml.length;
    parts_dump(&trainer->parts, &yaml);
    const char *slash = strrchr(trainer->run_dir, '/');
    status = logger_hparams(trainer->logger, slash ? slash + 1 : trainer->run_dir,
                            yaml.data + begin, err);
    text_add(&yaml, "```\n");
    if (status == RL_OK) status = logger_text(trainer->logger, "config", yaml.data, err);
    text_release(&yaml);
    return status;
}

// Of every option but those that 'rlrun resume' may change and the folder's name.
static uint64_t hash_options(struct trainer *trainer) {
    struct run_options *run = &trainer->parts.run, given = *run;
    struct text yaml = {0};
    run->steps = run->threads = run->checkpoint_every = run->keep_checkpoints = 0;
    run->time_limit = 0;
    run->name[0] = run->run_dir[0] = '\0';
    parts_dump(&trainer->parts, &yaml);
    *run = given;
    uint64_t hash = XXH3_64bits(yaml.data, yaml.length);
    text_release(&yaml);
    return hash;
}

static void visit_counters(struct trainer *trainer, struct state_visitor *visitor) {
    size_t mark = state_enter(visitor, "run");
    state_field(visitor, trainer, count);
    state_field(visitor, trainer, options_hash);
    state_rng(visitor, "action_rng", &trainer->action_rng);
    batch_source_visit(&trainer->batches, visitor);
    state_field(visitor, trainer, policy_metrics);
    state_field(visitor, trainer, encoder_metrics);
    state_field(visitor, trainer, replay_state);
    state_field(visitor, trainer, latent_state);
    state_bytes(visitor, "env", trainer->env_state, env_state_bytes(trainer->env));
    state_leave(visitor, mark);
}

static void visit(void *object, struct state_visitor *visitor) {
    struct trainer *trainer = object;
    visit_counters(trainer, visitor);
    parts_visit_policy(&trainer->parts, visitor);
    parts_visit_training(&trainer->parts, visitor);
    explore_visit(trainer->explore, "explore", visitor);
    if (trainer->publisher.candidate.encoder)
        publisher_visit(&trainer->publisher, "publisher", visitor);
    logger_visit(trainer->logger, "logger", visitor);
}

// --- checkpoints ---

// Remembers the checkpoint just written and removes what only older ones needed that are gone.
static void prune(struct trainer *trainer) {
    int keep = store_keep(trainer);
    if (trainer->n_kept == keep) {
        trainer->n_kept--;
        memmove(trainer->kept, trainer->kept + 1, (size_t)trainer->n_kept * sizeof *trainer->kept);
    }
    trainer->kept[trainer->n_kept++] =
        (struct kept_checkpoint){.step = trainer->count.steps,
                                 .replay_begin = trainer->replay_state.begin,
                                 .latent_version = trainer->latent_state.latents.version};
    if (trainer->n_kept < keep) return;
    const struct kept_checkpoint *oldest = &trainer->kept[0];
    replay_store_prune(trainer->replay_store, oldest->replay_begin);
    if (trainer->latent_store)
        latent_store_prune(trainer->latent_store, oldest->latent_version, oldest->replay_begin);
}

static void wall_path(const struct trainer *trainer, char *path, size_t size) {
    file_join(path, size, trainer->run_dir, "wall_s");
}

static enum rl_status save_wall_time(const struct trainer *trainer, struct rl_error *err) {
    char path[4200], text[32];
    wall_path(trainer, path, sizeof path);
    snprintf(text, sizeof text, "%.3f\n", trainer_wall_s(trainer));
    return file_write_atomic(path, text, strlen(text), err);
}

// A run without the file (killed before its first checkpoint was through) starts to count anew.
static void load_wall_time(struct trainer *trainer) {
    char path[4200];
    struct bytes bytes;
    wall_path(trainer, path, sizeof path);
    if (file_read(path, 64, &bytes, NULL) != RL_OK) return;
    double spent_s = strtod((const char *)bytes.data, NULL);
    trainer->spent_s = spent_s > 0 && spent_s < 1e12 ? spent_s : 0;
    mem_free(bytes.data);
}

// A checkpoint from which nobody could go on must not take the place of one from which one can.
static enum rl_status check_weights(const struct trainer *trainer, struct rl_error *err) {
    const struct parts *parts = &trainer->parts;
    const char *name = params_not_finite(&parts->agent->params, false);
    if (!name && parts->encoder) name = params_not_finite(&parts->encoder->params, false);
    if (!name) return RL_OK;
    return rl_fail(err, RL_ENUMERIC,
                   "step %lld: the weights '%s' are not finite; the last good checkpoint is kept",
                   (long long)trainer->count.steps, name);
}

enum rl_status store_checkpoint(struct trainer *trainer, struct rl_error *err) {
    if (trainer->n_kept && trainer->kept[trainer->n_kept - 1].step == trainer->count.steps)
        return RL_OK;
    char folder[4200];
    file_join(folder, sizeof folder, trainer->run_dir, "checkpoints");
    env_state_save(trainer->env, trainer->env_state);
    trainer->options_hash = hash_options(trainer);
    enum rl_status status = check_weights(trainer, err);
    if (status == RL_OK) status = logger_sync(trainer->logger, trainer->count.steps, err);
    if (status == RL_OK) {
        status =
            replay_store_save(trainer->replay_store, trainer->replay, &trainer->replay_state, err);
    }
    if (status == RL_OK && trainer->latent_store)
        status = latent_store_save(trainer->latent_store, &trainer->latent_state, err);
    bool first = comm_rank(trainer->comm) == 0;
    if (status == RL_OK && !first) {
        status =
            checkpoint_save(folder, trainer->count.steps, visit, trainer, store_keep(trainer), err);
    }
    bool all = comm_least(trainer->comm, COMM_POLICY, status == RL_OK);
    if (status == RL_OK && !all)
        status = rl_fail(err, RL_EIO, "another rank could not save its part of the checkpoint");
    if (status == RL_OK && first) {
        status =
            checkpoint_save(folder, trainer->count.steps, visit, trainer, store_keep(trainer), err);
    }
    if (status == RL_OK) status = save_wall_time(trainer, err);
    if (status == RL_OK) prune(trainer);
    return status;
}

static enum rl_status restore_from(struct trainer *trainer, const char *path,
                                   struct rl_error *err) {
    enum rl_status status = checkpoint_load(path, visit, trainer, err);
    if (status == RL_OK) {
        status =
            env_state_load(trainer->env, trainer->env_state, env_state_bytes(trainer->env), err);
    }
    if (status == RL_OK) {
        status = replay_store_load(trainer->replay_store, &trainer->replay_state, trainer->replay,
                                   trainer->roles, err);
    }
    if (status == RL_OK && trainer->latent_store) {
        status =
            latent_store_load(trainer->latent_store, &trainer->latent_state, trainer->roles, err);
    }
    return status;
}

// From the newest checkpoint that is whole with its replay and latents; says which it passes over.
static enum rl_status restore_newest(struct trainer *trainer, struct rl_error *err) {
    char folder[4200], path[CHECKPOINT_PATH_BYTES];
    file_join(folder, sizeof folder, trainer->run_dir, "checkpoints");
    int64_t before = INT64_MAX, step;
    struct rl_error why = {0}, first = {0};
    for (;;) {
        enum rl_status status = checkpoint_find_before(folder, before, path, &step, &why);
        if (status != RL_OK) step = -1;
        int64_t least = comm_least(trainer->comm, COMM_POLICY, step);
        if (least < 0) break; // on some rank there is none
        if (comm_most(trainer->comm, COMM_POLICY, step) != least) {
            before = least + 1; // the ranks must go on from the same step
            continue;
        }
        status = restore_from(trainer, path, &why);
        if (status != RL_OK && first.code == RL_OK) first = why;
        if (comm_least(trainer->comm, COMM_POLICY, status == RL_OK)) return RL_OK;
        bool damaged =
            status == RL_OK || status == RL_EFORMAT || status == RL_EIO || status == RL_ENOTFOUND;
        if (!comm_least(trainer->comm, COMM_POLICY, damaged)) break;
        if (status != RL_OK) log_warning("cannot go on from %s: %s", path, why.message);
        before = least;
    }
    if (why.code == RL_OK) rl_fail(&why, RL_ENOTFOUND, "no checkpoint that all ranks have");
    *err = first.code == RL_OK ? why : first;
    return err->code;
}

enum rl_status trainer_resume(struct trainer *trainer, const char *run_dir, struct rl_error *err) {
    enum rl_status status = open_store(trainer, run_dir, err);
    if (status == RL_OK) status = restore_newest(trainer, err);
    if (status == RL_OK) status = logger_begin(trainer->logger, trainer->count.steps, err);
    if (status != RL_OK) return status;
    if (trainer->options_hash != hash_options(trainer)) {
        log_warning("%s/config.yaml gives other options than the checkpoint was saved with; going "
                    "on with them",
                    trainer->run_dir);
    }
    load_wall_time(trainer);
    batch_source_restore(&trainer->batches);
    trainer->kept[0] =
        (struct kept_checkpoint){.step = trainer->count.steps,
                                 .replay_begin = trainer->replay_state.begin,
                                 .latent_version = trainer->latent_state.latents.version};
    trainer->n_kept = 1;
    return RL_OK;
}

// --- final.safetensors: the weights that act, readable from Python ---

static int add_params(struct st_tensor *tensors, const char *prefix, struct params *params) {
    for (int i = 0; i < params->n_items; i++) {
        const struct param_item *item = &params->items[i];
        struct text name = {0};
        text_add(&name, "%s.%s", prefix, item->name);
        tensors[i] = (struct st_tensor){.name = name.data,
                                        .dtype = ST_F32,
                                        .ndim = item->ndim,
                                        .count = (int64_t)item->count,
                                        .data = params->value + item->offset};
        for (int d = 0; d < item->ndim; d++) tensors[i].dim[d] = item->dim[d];
    }
    return params->n_items;
}

static struct st_tensor vector(const char *name, int rows, int columns, const real *data) {
    return (struct st_tensor){.name = mem_strdup(name),
                              .dtype = ST_F32,
                              .ndim = 2,
                              .dim = {rows, columns},
                              .count = (int64_t)rows * columns,
                              .data = data};
}

enum rl_status store_final(struct trainer *trainer, struct rl_error *err) {
    struct parts *parts = &trainer->parts;
    struct snapshot *snapshot = &parts->snapshot;
    bool latents = parts->features == FEATURE_KIND_LATENTS;
    struct params *agent = &parts->agent->params;
    struct params *encoder = latents          ? &snapshot->params
                             : parts->encoder ? &parts->encoder->params
                                              : NULL;
    struct st_tensor *tensors =
        MEM_ARRAY(struct st_tensor, agent->n_items + (encoder ? encoder->n_items : 0) + 3);
    int count = add_params(tensors, "agent", agent);
    if (encoder) count += add_params(tensors + count, "encoder", encoder);
    if (latents) {
        tensors[count++] = vector("snapshot.mean", 1, snapshot->dim, snapshot->mean);
        tensors[count++] = vector("snapshot.inverse_std", 1, snapshot->dim, snapshot->inverse_std);
        tensors[count++] =
            vector("snapshot.rotation", snapshot->dim, snapshot->dim, snapshot->rotation);
    }
    const char *const meta[] = {
        "agent",   parts->agent_name,  "env",   env_spec(trainer->env)->name,
        "encoder", parts->run.encoder, "rlrun", RLRUN_VERSION};
    char path[4200];
    file_join(path, sizeof path, trainer->run_dir, "final.safetensors");
    enum rl_status status = st_write(path, tensors, count, meta, 4, err);
    for (int i = 0; i < count; i++) mem_free(tensors[i].name);
    mem_free(tensors);
    return status;
}
