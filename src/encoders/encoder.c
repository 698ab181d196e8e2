#include "encoders/encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/mem.h"
#include "nn/weights.h"

#define ENCODER(name) extern const struct encoder_ops encoder_##name;
#include "encoders/encoders.def"
#undef ENCODER

static const struct encoder_ops *const registry[] = {
#define ENCODER(name) &encoder_##name,
#include "encoders/encoders.def"
#undef ENCODER
};

int encoder_count(void) {
    return sizeof registry / sizeof registry[0];
}

const struct encoder_ops *encoder_at(int index) {
    RL_ASSERT(index >= 0 && index < encoder_count());
    return registry[index];
}

const struct encoder_ops *encoder_find(const char *name) {
    for (int i = 0; i < encoder_count(); i++) {
        if (!strcmp(registry[i]->name, name)) return registry[i];
    }
    return NULL;
}

static enum rl_status fail_unknown(const char *name, struct rl_error *err) {
    const char *names[sizeof registry / sizeof registry[0]];
    for (int i = 0; i < encoder_count(); i++) names[i] = registry[i]->name;
    char hint[128];
    text_suggestion(hint, sizeof hint, name, names, encoder_count());
    return rl_fail(err, RL_EUSAGE, "no encoder is called '%s'%s: see 'rlrun list encoders'", name,
                   hint);
}

static enum rl_status check_spec(const struct encoder_ops *ops, const struct encoder_spec *spec,
                                 struct rl_error *err) {
    if (spec->latent_dim < 0 || spec->latent_dim > 65536)
        return rl_fail(err, RL_EUSAGE, "latent_dim %d is not in 0..65536", spec->latent_dim);
    if (ops->vector_input) {
        if (spec->obs_dim < 1 || spec->obs_dim > 1 << 20)
            return rl_fail(err, RL_EUSAGE, "encoder '%s' reads a vector, and obs_dim is %d",
                           ops->name, spec->obs_dim);
        return RL_OK;
    }
    const int *dim = spec->in_dim;
    if (dim[0] < 1 || dim[1] < 1 || dim[2] < 1 || dim[0] > 4096 || dim[1] > 4096 || dim[2] > 1024)
        return rl_fail(err, RL_EUSAGE, "encoder '%s' reads pictures, and theirs is %d x %d x %d",
                       ops->name, dim[0], dim[1], dim[2]);
    return RL_OK;
}

static enum rl_status build(struct encoder *encoder, struct config *config, struct rng *rng,
                            struct rl_error *err) {
    const struct encoder_ops *ops = encoder->ops;
    enum rl_status status = check_spec(ops, &encoder->spec, err);
    if (status != RL_OK) return status;
    if (ops->opts.specs && config) {
        status = config_apply(config, &ops->opts, encoder->options, err);
        if (status != RL_OK) return status;
    } else if (ops->opts.specs) {
        opt_set_defaults(&ops->opts, encoder->options);
    }
    status = ops->create(encoder, err);
    if (status != RL_OK) return status;
    params_finish(&encoder->params, true, rng);
    return RL_OK;
}

struct encoder *encoder_create(const char *name, const struct encoder_spec *spec,
                               struct config *config, struct rng *rng, struct rl_error *err) {
    const struct encoder_ops *ops = encoder_find(name);
    if (!ops) {
        fail_unknown(name, err);
        return NULL;
    }
    struct encoder *encoder = MEM_NEW(struct encoder);
    encoder->ops = ops;
    encoder->spec = *spec;
    encoder->options = mem_alloc(ops->options_bytes);
    if (build(encoder, config, rng, err) == RL_OK) return encoder;
    encoder_destroy(encoder);
    return NULL;
}

void encoder_destroy(struct encoder *encoder) {
    if (!encoder) return;
    mem_free(encoder->net);
    params_release(&encoder->params);
    mem_free(encoder->options);
    mem_free(encoder);
}

struct tensor *encoder_forward(struct encoder *encoder, struct tape *tape,
                               const struct params *params, const struct encoder_input *input) {
    RL_ASSERT(input->n > 0);
    RL_ASSERT(encoder->ops->vector_input ? input->rows != NULL : input->pixels != NULL);
    return encoder->ops->forward(encoder, tape, params, input);
}

size_t encoder_tape_bytes(const struct encoder *encoder, int n) {
    return encoder->ops->tape_bytes(encoder, n);
}

// --- files ---

#define FORMAT_KEY     "rlrun.encoder"
#define FORMAT_VERSION "1"

enum rl_status encoder_save(const struct encoder *encoder, const struct params *params,
                            const char *path, struct rl_error *err) {
    const struct encoder_spec *spec = &encoder->spec;
    char dims[96];
    snprintf(dims, sizeof dims, "%d %d %d %d %d", spec->in_dim[0], spec->in_dim[1], spec->in_dim[2],
             spec->obs_dim, spec->latent_dim);
    struct text options = {0};
    text_add(&options, "%s", "");
    if (encoder->ops->opts.specs) opt_dump_yaml(&encoder->ops->opts, encoder->options, &options);
    const char *meta[] = {FORMAT_KEY, FORMAT_VERSION, "encoder", encoder->ops->name,
                          "spec",     dims,           "options", options.data};
    struct weights_block block = {"", (struct params *)params};
    enum rl_status status = weights_save(path, &block, 1, meta, 4, err);
    text_release(&options);
    return status;
}

struct encoder *encoder_create_like(const struct encoder *encoder, struct rng *rng,
                                    struct rl_error *err) {
    struct text options = {0};
    struct config config = {0};
    enum rl_status status = RL_OK;
    if (encoder->ops->opts.specs) {
        opt_dump_yaml(&encoder->ops->opts, encoder->options, &options);
        status = config_add_yaml_text(&config, options.data, options.length, "encoder", err);
    }
    struct encoder *like = NULL;
    if (status == RL_OK)
        like = encoder_create(encoder->ops->name, &encoder->spec, &config, rng, err);
    text_release(&options);
    config_release(&config);
    return like;
}

static struct encoder *from_file(const struct st_file *file, const char *path,
                                 struct rl_error *err) {
    const char *version = st_meta(file, FORMAT_KEY), *name = st_meta(file, "encoder"),
               *dims = st_meta(file, "spec"), *options = st_meta(file, "options");
    struct encoder_spec spec = {0};
    if (!version || strcmp(version, FORMAT_VERSION) || !name || !options || !dims ||
        sscanf(dims, "%d %d %d %d %d", &spec.in_dim[0], &spec.in_dim[1], &spec.in_dim[2],
               &spec.obs_dim, &spec.latent_dim) != 5) {
        rl_fail(err, RL_EFORMAT, "%s is not an encoder file of format " FORMAT_VERSION, path);
        return NULL;
    }
    struct config config = {0};
    struct encoder *encoder = NULL;
    struct rng rng = rng_seed(0); // the weights are replaced
    if (!*options || config_add_yaml_text(&config, options, strlen(options), path, err) == RL_OK)
        encoder = encoder_create(name, &spec, &config, &rng, err);
    config_release(&config);
    if (!encoder) return NULL;
    struct weights_block block = {"", &encoder->params};
    if (weights_take(file, path, &block, 1, false, err) == RL_OK) return encoder;
    encoder_destroy(encoder);
    return NULL;
}

struct encoder *encoder_load(const char *path, struct rl_error *err) {
    struct st_file file;
    if (st_read(path, &file, err) != RL_OK) return NULL;
    struct encoder *encoder = from_file(&file, path, err);
    st_release(&file);
    return encoder;
}
