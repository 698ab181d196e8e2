// DDPG, TD3, SAC and DrQ-v2 against the golden data of group nets/rl: actions, targets, values and
// losses of five updates, all gradients of the first, weights after one and five. The agents are
// the program's own; a tap gives them the recorded random numbers and sees what they compute.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agents/core.h"
#include "base/config.h"
#include "base/mem.h"
#include "math/conv.h"
#include "math/image.h"
#include "support/golden.h"

#define FORWARD           1e-5 // of the largest value
#define LOSS              1e-5
#define GRADIENT          1e-4  // through several layers
#define PAD               4     // of the random shift
#define DIFFERING         0.001 // part of a tensor's weights
#define DIFFERING_ENCODER 0.05  // where said
#define KEY               192

struct method {
    const char *golden, *agent;
    bool pixels;
    const char *last[2]; // CleanRL's names of the actor's output layers
};

static const struct method methods[] = {
    {"DDPG", "ddpg", false, {"fc_mu"}},
    {"TD3", "td3", false, {"fc_mu"}},
    {"SAC", "sac", false, {"fc_mean", "fc_logstd"}},
    {"DrQ-v2", "drqv2", true, {0}},
};

struct run {
    const struct golden_case *golden;
    const struct method *method;
    struct encoder *encoder; // DrQ-v2
    struct optimizer encoder_optimizer;
    struct agent *agent;
    struct agent_tap tap;
    double scale, shift; // actions of the data = unit * scale + shift
    int update, round;   // from 1; actor steps within an update, from 0
    bool actor_checked;
    bool plain;  // convolutions by plain sums
    double std;  // DrQ-v2's
    real *mean;  // of the policy, for its log probability
    int n_batch; // rows of a batch
};

static void write_key(char key[KEY], const char *format, ...) __attribute__((format(printf, 2, 3)));
static void write_key(char key[KEY], const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(key, KEY, format, args);
    va_end(args);
    assert_true(length > 0 && length < KEY);
}

static double setting(const struct golden_case *golden, const char *key) {
    const json_t *value = json_object_get(json_object_get(golden->entry, "config"), key);
    if (!json_is_number(value)) fail_msg("%s: no config.%s", golden->path, key);
    return json_number_value(value);
}

// --- names and layouts ---------------------------------------------------------------------------

// Keys of a weight in the data, without the stage: one, or two whose rows follow each other.
static int weight_keys(const struct run *run, const char *name, bool target, char keys[2][KEY]) {
    if (run->method->pixels) {
        bool critic = !strncmp(name, "critic.", 7);
        write_key(keys[0], "%s%s%s", critic ? "critic" : "", critic && target ? "_target" : "",
                  critic ? name + 6 : name);
        return 1;
    }
    char part[16];
    int layer, head;
    if (sscanf(name, "critic.Q%d.%d.%15s", &head, &layer, part) == 3) {
        write_key(keys[0], "qf%d%s.fc%d.%s", head, target ? "_target" : "", layer / 2 + 1, part);
        return 1;
    }
    if (sscanf(name, "actor.policy.%d.%15s", &layer, part) != 2) {
        write_key(keys[0], "%s", strchr(name, '.') + 1); // temperature.log_alpha
        return 1;
    }
    const char *actor = target ? "target_actor" : "actor";
    if (layer < 4) {
        write_key(keys[0], "%s.fc%d.%s", actor, layer / 2 + 1, part);
        return 1;
    }
    int n = run->method->last[1] ? 2 : 1;
    for (int i = 0; i < n; i++) {
        write_key(keys[i], "%s.%s.%s", actor, run->method->last[i], part);
    }
    return n;
}

// Where element i of our tensor stands in the data's: convolutions are [out, in, kh, kw] there and
// (kh, kw, in, out) here; a trunk reads (C, H, W) there and (H, W, C) here.
static size_t data_index(const struct run *run, const struct param_item *item, size_t i) {
    if (item->ndim == 4) {
        size_t k = (size_t)item->dim[0], in = (size_t)item->dim[2], out = (size_t)item->dim[3];
        size_t o = i % out, c = i / out % in, spot = i / out / in;
        return (o * in + c) * k * k + spot;
    }
    if (!run->method->pixels || !strstr(item->name, "trunk.0.weight")) return i;
    size_t width = (size_t)item->dim[1], column = i % width;
    size_t channels = 32, spots = width / channels;
    return i - column + column % channels * spots + column / channels;
}

// DrQ-v2's encoder is convnet.0, .2, .4, .6 in the data, whatever our layers are called.
static void encoder_key(const struct params *params, int i, char key[KEY]) {
    write_key(key, "encoder.convnet.%d.%s", i / 2 * 2,
              params->items[i].ndim == 4 ? "weight" : "bias");
}

// --- weights in and out --------------------------------------------------------------------------

// Tensors too large to be stored start from a hash of the element's index.
static void hash_fill(uint32_t seed, real *out, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t h = (uint32_t)i * 2654435761u + seed;
        h ^= h >> 16;
        h *= 2246822519u;
        h ^= h >> 13;
        out[i] = (real)(((int)(h >> 24) - 128) * 0x1p-14);
    }
}

static void read_weight(const struct run *run, const char *key, real *out, size_t count) {
    char name[KEY];
    write_key(name, "init.%s.hash_seed", key);
    const struct st_tensor *seed = st_find(&run->golden->data, name);
    if (seed) {
        hash_fill((uint32_t)st_get(seed, 0), out, count);
        write_key(name, "init.%s.first_values", key);
        golden_near_float(run->golden, name, out, 64, 0, 0);
        return;
    }
    write_key(name, "init.%s", key);
    const struct st_tensor *tensor = golden_tensor(run->golden, name);
    if ((size_t)tensor->count != count) fail_msg("%s %s: size", run->golden->path, name);
    st_copy_float(tensor, out);
}

static void load_item(const struct run *run, struct params *params, int id, int n_keys,
                      char keys[2][KEY]) {
    const struct param_item *item = &params->items[id];
    real *data = MEM_ARRAY(real, item->count);
    size_t part = item->count / (size_t)n_keys;
    for (int i = 0; i < n_keys; i++) read_weight(run, keys[i], data + (size_t)i * part, part);
    real *value = params->value + item->offset;
    for (size_t i = 0; i < item->count; i++) value[i] = data[data_index(run, item, i)];
    mem_free(data);
}

// What to expect of a tensor: gradients agree to a part of the largest; Adam divides by the
// gradient's own size, so that weights whose gradient is rounding noise may differ by the rate.
struct bounds {
    bool weights;
    double rate_sum;  // lr * steps
    double differing; // part of the elements that may differ by more than 1e-6
};

static void compare_weights(const struct run *run, const char *key, const real *value, size_t count,
                            const struct st_tensor *want, struct bounds bounds) {
    if ((size_t)want->count != count) fail_msg("%s %s: size", run->golden->path, key);
    size_t off = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)value[i] - st_get(want, (int64_t)i));
        if (!(difference <= 2 * bounds.rate_sum)) {
            fail_msg("%s %s[%zu] is off by %g", run->golden->path, key, i, difference);
        }
        off += difference > 1e-6;
    }
    if ((double)off > bounds.differing * (double)count) {
        fail_msg("%s %s: %zu of %zu differ by more than 1e-6", run->golden->path, key, off, count);
    }
}

static void compare_part(const struct run *run, const char *key, const real *value, size_t count,
                         struct bounds bounds) {
    if (!bounds.weights) {
        golden_near_float(run->golden, key, value, (int64_t)count, GRADIENT, 1e-9);
        return;
    }
    compare_weights(run, key, value, count, golden_tensor(run->golden, key), bounds);
}

// Large tensors: sampled elements, row sums, sum of squares.
static void compare_sampled(const struct run *run, const char *key, const real *value,
                            const struct param_item *item, struct bounds bounds) {
    char name[KEY];
    write_key(name, "%s.sample_index", key);
    const struct st_tensor *index = golden_tensor(run->golden, name);
    real *sample = MEM_ARRAY(real, index->count);
    for (int64_t i = 0; i < index->count; i++) sample[i] = value[(size_t)st_get(index, i)];
    write_key(name, "%s.sample", key);
    compare_part(run, name, sample, (size_t)index->count, bounds);
    mem_free(sample);

    size_t rows = (size_t)item->dim[0], width = item->count / rows;
    double *sums = MEM_ARRAY(double, rows), square = 0, size = 0;
    for (size_t i = 0; i < item->count; i++) {
        sums[i / width] += (double)value[i];
        square += (double)value[i] * (double)value[i];
        size += fabs((double)value[i]) / (double)rows; // a row's sum of magnitudes
    }
    write_key(name, "%s.row_sum", key);
    golden_near(run->golden, name, sums, (int64_t)rows, 0,
                bounds.weights ? 1e-5 * size : GRADIENT * size);
    write_key(name, "%s.sum_of_squares", key);
    golden_near(run->golden, name, &square, 1, bounds.weights ? 1e-5 : 2 * GRADIENT, 0);
    mem_free(sums);
}

// block: the item's params->value or ->grad.
static void compare_item(const struct run *run, const char *stage, const real *block,
                         const struct param_item *item, int n_keys, char keys[2][KEY],
                         struct bounds bounds) {
    real *data = MEM_ARRAY(real, item->count);
    for (size_t i = 0; i < item->count; i++) {
        data[data_index(run, item, i)] = block[item->offset + i];
    }
    size_t part = item->count / (size_t)n_keys;
    for (int i = 0; i < n_keys; i++) {
        char key[KEY], sampled[KEY];
        write_key(key, "%s.%s", stage, keys[i]);
        write_key(sampled, "%s.sample_index", key);
        if (st_find(&run->golden->data, sampled)) {
            compare_sampled(run, key, data, item, bounds);
        } else {
            compare_part(run, key, data + (size_t)i * part, part, bounds);
        }
    }
    mem_free(data);
}

static bool has_target(const struct run *run, const char *name) {
    if (!strncmp(name, "critic.", 7)) return true;
    bool copied = !strcmp(run->method->golden, "DDPG") || !strcmp(run->method->golden, "TD3");
    return copied && !strncmp(name, "actor.", 6);
}

static void load_weights(struct run *run) {
    char keys[2][KEY];
    struct params *params = &run->agent->params;
    for (int i = 0; i < params->n_items; i++) {
        const char *name = params->items[i].name;
        if (!strncmp(name, "temperature.", 12)) continue; // set by option alpha_init
        int n = weight_keys(run, name, false, keys);
        load_item(run, params, i, n, keys);
        if (!has_target(run, name)) continue;
        // DrQ-v2's target begins as the critic; the others' begin a little apart on purpose.
        if (!run->method->pixels) n = weight_keys(run, name, true, keys);
        load_item(run, &run->agent->target, i, n, keys);
    }
    if (!run->encoder) return;
    for (int i = 0; i < run->encoder->params.n_items; i++) {
        encoder_key(&run->encoder->params, i, keys[0]);
        load_item(run, &run->encoder->params, i, 1, keys);
    }
}

static double rate_of(const struct run *run, const char *name) {
    if (run->method->pixels) return setting(run->golden, "lr");
    return setting(run->golden, !strncmp(name, "actor.", 6) ? "policy_lr" : "q_lr");
}

static void compare_after(const struct run *run) {
    char stage[KEY], keys[2][KEY];
    write_key(stage, "after%d", run->update);
    const struct params *params = &run->agent->params;
    for (int i = 0; i < params->n_items; i++) {
        const struct param_item *item = &params->items[i];
        struct bounds bounds = {true, rate_of(run, item->name) * run->update, DIFFERING};
        if (!strcmp(run->method->golden, "SAC")) bounds.rate_sum *= 2; // two rounds an update
        int n = weight_keys(run, item->name, false, keys);
        compare_item(run, stage, params->value, item, n, keys, bounds);
        if (!has_target(run, item->name)) continue;
        n = weight_keys(run, item->name, true, keys);
        compare_item(run, stage, run->agent->target.value, item, n, keys, bounds);
    }
    if (!run->encoder) return;
    // Weights whose gradient is rounding noise move by the whole rate, up or down. Two things make
    // more of them than 0.1 % in the encoder: the larger case's images were shifted by torch's
    // grid_sample, off the exact copy by up to 7e-4 of 255 (our update in double precision differs
    // in 3.5 % of the first convolution after five updates); and Winograd's form of a convolution
    // (up to 2.9 %), which is why every case is run with plain sums first.
    bool strict = run->plain && (st_find(&run->golden->data, "aug.obs") || run->update < 5);
    for (int i = 0; i < run->encoder->params.n_items; i++) {
        const struct param_item *item = &run->encoder->params.items[i];
        struct bounds bounds = {true, rate_of(run, item->name) * run->update,
                                strict ? DIFFERING : DIFFERING_ENCODER};
        encoder_key(&run->encoder->params, i, keys[0]);
        compare_item(run, stage, run->encoder->params.value, item, 1, keys, bounds);
    }
}

// --- the tap -------------------------------------------------------------------------------------

static void give_normals(void *context, const char *name, real *out, size_t count) {
    struct run *run = context;
    char key[KEY];
    if (!strcmp(name, "explore")) {
        write_key(key, "act.noise");
    } else if (!strcmp(name, "target")) {
        const char *kind = run->method->pixels ? "critic_noise" : "next_noise";
        write_key(key, "u%d.%s", run->update, kind);
    } else if (run->method->pixels) {
        write_key(key, "u%d.actor_noise", run->update);
    } else {
        const char *kind = !strcmp(name, "actor") ? "pi_noise" : "alpha_noise";
        write_key(key, "u%d.%s%d", run->update, kind, run->round);
    }
    const struct st_tensor *tensor = golden_tensor(run->golden, key);
    assert_int_equal(tensor->count, count);
    st_copy_float(tensor, out);
}

static void compare_actions(const struct run *run, const char *key, const real *action,
                            size_t count) {
    real *scaled = MEM_ARRAY(real, count);
    for (size_t i = 0; i < count; i++) {
        scaled[i] = action[i] * (real)run->scale + (real)run->shift;
    }
    golden_near_float(run->golden, key, scaled, (int64_t)count, FORWARD, 0);
    mem_free(scaled);
}

// The encoder's output, (H, W, C) here, (C, H, W) in the data, where the larger case keeps every
// 16th feature.
static void compare_features(const struct run *run, const real *features, size_t count) {
    size_t each = count / (size_t)run->n_batch, channels = 32, spots = each / channels;
    size_t kept = (size_t)golden_tensor(run->golden, "fwd.encoder_out")->count;
    size_t stride = count / kept, at = 0;
    assert_int_equal(kept * stride, count);
    real *data = MEM_ARRAY(real, kept);
    for (size_t row = 0; row < (size_t)run->n_batch; row++) {
        for (size_t i = 0; i < each; i += stride) {
            data[at++] = features[row * each + i % spots * channels + i / spots];
        }
    }
    golden_near_float(run->golden, "fwd.encoder_out", data, (int64_t)kept, FORWARD, 0);
    mem_free(data);
}

static void compare_loss(const struct run *run, const char *name, double value, bool rounds) {
    char key[KEY];
    if (rounds) {
        write_key(key, "loss.%s.u%d.%d", name, run->update, run->round);
    } else {
        write_key(key, "loss.%s.u%d", name, run->update);
    }
    // Losses near 0 are differences of larger values.
    golden_near(run->golden, key, &value, 1, LOSS, 1e-6);
}

// Mean log density of the sampled actions under N(mean, std), which DrQ-v2 logs.
static double log_probability(const struct run *run, const real *action, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double z = (double)(action[i] - run->mean[i]) / run->std;
        sum += -0.5 * z * z - log(run->std) - 0.5 * log(2 * acos(-1));
    }
    return sum / run->n_batch;
}

static void see(void *context, const char *name, const real *data, size_t count) {
    struct run *run = context;
    bool first = run->update == 1 && run->round == 0, pixels = run->method->pixels;
    if (!strcmp(name, "critic_loss")) compare_loss(run, "critic", (double)*data, false);
    if (!strcmp(name, "actor_loss")) compare_loss(run, "actor", (double)*data, !pixels);
    if (!strcmp(name, "temperature_loss")) {
        compare_loss(run, "alpha", (double)*data, true);
        run->round++;
    }
    if (!strcmp(name, "policy_action") && pixels) memcpy(run->mean, data, count * sizeof *data);
    if (!strcmp(name, "sampled_action")) {
        compare_loss(run, "actor_logprob", log_probability(run, data, count), false);
    }
    if (!first) return;
    if (!strcmp(name, "features")) {
        if (pixels) compare_features(run, data, count);
    } else if (!strcmp(name, "next_action")) {
        compare_actions(run, "fwd.next_action", data, count);
    } else if (!strcmp(name, "policy_action")) {
        compare_actions(run, pixels ? "fwd.actor_mean" : "fwd.pi", data, count);
    } else if (!strcmp(name, "sampled_action")) {
        compare_actions(run, "fwd.actor_action", data, count);
    } else if (!strcmp(name, "log_pi")) {
        golden_near_float(run->golden, "fwd.log_pi", data, (int64_t)count, FORWARD, 0);
    } else if (!strcmp(name, "target")) {
        const char *key = pixels ? "fwd.target_q" : "fwd.target";
        golden_near_float(run->golden, key, data, (int64_t)count, FORWARD, 0);
    } else if (!strcmp(name, "q1") || !strcmp(name, "q2")) {
        char key[KEY];
        write_key(key, "fwd.%s%s", pixels ? "q" : "qf", name + 1);
        golden_near_float(run->golden, key, data, (int64_t)count, FORWARD, 0);
    }
}

static void see_gradient(void *context, const struct params *block) {
    struct run *run = context;
    if (run->update != 1 || run->actor_checked) return;
    for (int i = 0; i < block->n_items; i++) {
        const struct param_item *item = &block->items[i];
        char keys[2][KEY];
        int n = weight_keys(run, item->name, false, keys);
        compare_item(run, "grad", block->grad, item, n, keys, (struct bounds){0});
    }
    // SAC's second round within the update has no gradients in the data.
    bool rounds = !strcmp(run->method->golden, "SAC");
    const char *last = rounds ? "temperature." : "actor.";
    run->actor_checked = !strncmp(block->items[0].name, last, strlen(last));
}

// --- batches -------------------------------------------------------------------------------------

struct arrays {
    real *obs, *next_obs, *action, *reward, *discount;
    uint8_t *pixels, *next_pixels;
};

static void arrays_release(struct arrays *arrays) {
    void *all[] = {arrays->obs,      arrays->next_obs, arrays->action,     arrays->reward,
                   arrays->discount, arrays->pixels,   arrays->next_pixels};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
}

static float *update_floats(const struct run *run, const char *name) {
    char key[KEY];
    write_key(key, "u%d.%s", run->update, name);
    return golden_floats(run->golden, key);
}

// Images (N, C, H, W) of the data as (N, H, W, C).
static uint8_t *read_images(const struct run *run, const char *key) {
    const struct st_tensor *tensor = golden_tensor(run->golden, key);
    size_t n = (size_t)tensor->dim[0], channels = (size_t)tensor->dim[1];
    size_t spots = (size_t)(tensor->dim[2] * tensor->dim[3]);
    uint8_t *out = mem_alloc((size_t)tensor->count);
    const uint8_t *in = tensor->data;
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < channels; c++) {
            for (size_t s = 0; s < spots; s++) {
                out[(i * spots + s) * channels + c] = in[(i * channels + c) * spots + s];
            }
        }
    }
    return out;
}

// Our shifted images against the data's: all of them, or the first two rounded.
static void compare_shifted(const struct run *run, const char *name, const uint8_t *images,
                            size_t size, size_t channels) {
    char key[KEY];
    write_key(key, "aug.%s", name);
    if (!st_find(&run->golden->data, key)) write_key(key, "aug.%s.rounded", name);
    const struct st_tensor *want = golden_tensor(run->golden, key);
    size_t spots = size * size;
    for (size_t i = 0; i < (size_t)want->count; i++) {
        size_t image = i / (spots * channels), c = i / spots % channels, s = i % spots;
        double ours = images[(image * spots + s) * channels + c];
        if (ours != st_get(want, (int64_t)i)) fail_msg("%s %s[%zu]", run->golden->path, key, i);
    }
}

static uint8_t *shifted_images(const struct run *run, const char *name) {
    int size = (int)setting(run->golden, "size"), channels = (int)setting(run->golden, "channels");
    size_t bytes = (size_t)(size * size * channels);
    char key[KEY];
    // The larger case keeps the first update's images for all.
    write_key(key, "u%d.%s", run->update, name);
    if (!st_find(&run->golden->data, key)) write_key(key, "u1.%s", name);
    uint8_t *images = read_images(run, key);
    uint8_t *out = mem_alloc((size_t)run->n_batch * bytes);
    write_key(key, "u%d.%s_shift", run->update, name);
    const struct st_tensor *shift = golden_tensor(run->golden, key);
    for (int i = 0; i < run->n_batch; i++) {
        int dx = (int)st_get(shift, 2 * i) - PAD, dy = (int)st_get(shift, 2 * i + 1) - PAD;
        image_shift(images + (size_t)i * bytes, size, size, channels, dy, dx,
                    out + (size_t)i * bytes);
    }
    mem_free(images);
    if (run->update == 1) compare_shifted(run, name, out, (size_t)size, (size_t)channels);
    return out;
}

static struct arrays read_batch(const struct run *run) {
    struct arrays arrays = {.action = update_floats(run, "action"),
                            .reward = update_floats(run, "reward")};
    if (run->method->pixels) {
        arrays.pixels = shifted_images(run, "obs");
        arrays.next_pixels = shifted_images(run, "next_obs");
        arrays.discount = update_floats(run, "discount");
        return arrays;
    }
    arrays.obs = update_floats(run, "obs");
    arrays.next_obs = update_floats(run, "next_obs");
    arrays.discount = update_floats(run, "done");
    real gamma = (real)setting(run->golden, "gamma");
    for (int i = 0; i < run->n_batch; i++) arrays.discount[i] = gamma * (1 - arrays.discount[i]);
    int count = run->n_batch * run->agent->spec.action_dim;
    for (int i = 0; i < count; i++) {
        arrays.action[i] = (real)(((double)arrays.action[i] - run->shift) / run->scale);
    }
    return arrays;
}

// --- a case --------------------------------------------------------------------------------------

static void add_option(struct config *config, const struct run *run, const char *key,
                       double value) {
    char text[KEY];
    write_key(text, "%.17g", value);
    config_add(config, run->method->agent, key, text, "golden", false);
}

static void set_options(struct config *config, struct run *run) {
    const struct golden_case *golden = run->golden;
    add_option(config, run, "batch", setting(golden, "batch"));
    add_option(config, run, "tau", setting(golden, "tau"));
    add_option(config, run, "random_steps", 0);
    if (run->method->pixels) {
        add_option(config, run, "hidden", setting(golden, "hidden_dim"));
        add_option(config, run, "trunk", setting(golden, "feature_dim"));
        add_option(config, run, "actor_lr", setting(golden, "lr"));
        add_option(config, run, "critic_lr", setting(golden, "lr"));
        add_option(config, run, "noise_from", run->std = setting(golden, "stddev"));
        add_option(config, run, "noise_to", run->std);
        add_option(config, run, "target_noise_clip", setting(golden, "stddev_clip"));
        return;
    }
    add_option(config, run, "hidden", setting(golden, "hidden"));
    add_option(config, run, "actor_lr", setting(golden, "policy_lr"));
    add_option(config, run, "critic_lr", setting(golden, "q_lr"));
    add_option(config, run, "policy_delay", setting(golden, "policy_frequency"));
    // Our agents step the actor in the first update, as the data do from an even global step.
    assert_int_equal(
        (int)setting(golden, "first_global_step") % (int)setting(golden, "policy_frequency"), 0);
    if (!strcmp(run->method->golden, "DDPG")) {
        config_add(config, "ddpg", "clipped_double_q", "false", "golden", false);
        config_add(config, "ddpg", "critic_layer_norm", "false", "golden", false);
        add_option(config, run, "target_noise", 0);
        add_option(config, run, "pre_tanh_penalty", 0);
    } else if (!strcmp(run->method->golden, "TD3")) {
        add_option(config, run, "target_noise", setting(golden, "policy_noise"));
        add_option(config, run, "target_noise_clip", setting(golden, "noise_clip"));
    } else {
        add_option(config, run, "alpha_lr", setting(golden, "q_lr"));
        add_option(config, run, "alpha_init", exp(setting(golden, "log_alpha_init")));
    }
}

static void create_agent(struct run *run) {
    const struct golden_case *golden = run->golden;
    struct agent_spec spec = {.action_dim = (int)setting(golden, "action_dim")};
    struct rl_error err = {0};
    if (run->method->pixels) {
        int size = (int)setting(golden, "size");
        struct encoder_spec pixels = {.in_dim = {size, size, (int)setting(golden, "channels")}};
        struct rng rng = rng_seed(1);
        run->encoder = encoder_create("cnn", &pixels, NULL, &rng, &err);
        if (!run->encoder) fail_msg("%s", err.message);
        spec.encoder = run->encoder;
        optimizer_init(&run->encoder_optimizer, &run->encoder->params,
                       optimizer_adam(setting(golden, "lr")));
    } else {
        spec.feature_dim = (int)setting(golden, "obs_dim");
    }
    struct config config = {0};
    set_options(&config, run);
    run->agent = agent_create(run->method->agent, &spec, &config, NULL, &err);
    if (!run->agent) fail_msg("%s", err.message);
    config_release(&config);
    run->agent->tap = &run->tap;
    run->n_batch = (int)setting(golden, "batch");
    run->mean = MEM_ARRAY(real, run->n_batch * spec.action_dim);
}

// Actions before any update: DrQ-v2 with and without noise, SAC without.
static void check_actions(struct run *run) {
    int dim = run->agent->spec.action_dim;
    real *action = MEM_ARRAY(real, run->n_batch * dim);
    if (run->method->pixels) {
        uint8_t *image = read_images(run, "act.obs");
        struct encoder_input input = {.n = 1, .pixels = image};
        agent_act(run->agent, &input, 0, false, action);
        golden_near_float(run->golden, "act.eval_action", action, dim, FORWARD, 0);
        agent_act(run->agent, &input, 0, true, action);
        golden_near_float(run->golden, "act.explore_action", action, dim, FORWARD, 0);
        mem_free(image);
    } else if (st_find(&run->golden->data, "fwd.eval_action")) {
        float *obs = golden_floats(run->golden, "u1.obs");
        struct encoder_input input = {.n = run->n_batch, .rows = obs};
        agent_act(run->agent, &input, 0, false, action);
        compare_actions(run, "fwd.eval_action", action, (size_t)(run->n_batch * dim));
        mem_free(obs);
    }
    mem_free(action);
}

static void step_encoder(struct run *run) {
    struct params *params = &run->encoder->params;
    for (int i = 0; run->update == 1 && i < params->n_items; i++) {
        char keys[2][KEY];
        encoder_key(params, i, keys[0]);
        compare_item(run, "grad", params->grad, &params->items[i], 1, keys, (struct bounds){0});
    }
    struct rl_error err = {0};
    if (optimizer_step(&run->encoder_optimizer, NULL, 1, NULL, &err) != RL_OK) {
        fail_msg("%s", err.message);
    }
}

static void run_update(struct run *run) {
    run->round = 0;
    struct arrays arrays = read_batch(run);
    struct batch batch = {.n = run->n_batch,
                          .obs = arrays.obs,
                          .next_obs = arrays.next_obs,
                          .pixels = arrays.pixels,
                          .next_pixels = arrays.next_pixels,
                          .action = arrays.action,
                          .reward = arrays.reward,
                          .discount = arrays.discount};
    struct metrics metrics;
    metrics_clear(&metrics);
    struct rl_error err = {0};
    if (agent_update(run->agent, &batch, 0, &metrics, &err) != RL_OK) fail_msg("%s", err.message);
    if (run->encoder) step_encoder(run);
    if (run->update == 1 || run->update == 5) compare_after(run);
    arrays_release(&arrays);
}

static void check_case(const struct golden_case *golden, void *context) {
    const bool *plain = context;
    const char *name = json_string_value(json_object_get(golden->entry, "method"));
    struct run run = {.golden = golden, .scale = 1, .plain = *plain};
    for (size_t i = 0; name && i < sizeof methods / sizeof *methods; i++) {
        if (!strcmp(methods[i].golden, name)) run.method = &methods[i];
    }
    if (!run.method) fail_msg("%s: no agent for method '%s'", golden->path, name ? name : "?");
    if (!run.method->pixels) {
        double low = setting(golden, "action_low"), high = setting(golden, "action_high");
        run.scale = (high - low) / 2;
        run.shift = (high + low) / 2;
    }
    run.tap = (struct agent_tap){.context = &run,
                                 .normals = give_normals,
                                 .see = see,
                                 .gradient = see_gradient,
                                 .action_scale = run.scale,
                                 .action_shift = run.shift};
    create_agent(&run);
    load_weights(&run);
    check_actions(&run);
    int updates = (int)json_integer_value(json_object_get(golden->entry, "updates"));
    assert_true(updates >= 5);
    for (run.update = 1; run.update <= updates; run.update++) run_update(&run);
    agent_destroy(run.agent);
    if (run.encoder) optimizer_release(&run.encoder_optimizer);
    encoder_destroy(run.encoder);
    mem_free(run.mean);
}

static void run_all(bool plain) {
    conv_set_plain(plain);
    golden_each("nets/rl", check_case, &plain);
    conv_set_plain(false);
}

static void test_plain(void **state) {
    (void)state;
    run_all(true);
}

static void test_winograd(void **state) {
    (void)state;
    run_all(false);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plain),
                                       cmocka_unit_test(test_winograd)};
    return cmocka_run_group_tests_name("golden_rl", tests, NULL, NULL);
}
