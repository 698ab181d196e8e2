#include "support/golden.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static const char *golden_dir(void) {
    const char *dir = getenv("RLRUN_GOLDEN");
    return dir && *dir ? dir : RLRUN_SOURCE_DIR "/tests/golden";
}

static json_t *load_json(const char *path) {
    json_error_t problem;
    json_t *json = json_load_file(path, 0, &problem);
    if (!json) fail_msg("%s: %s", path, problem.text);
    return json;
}

static void run_case(const char *path, const json_t *entry,
                     void (*check)(const struct golden_case *, void *), void *context) {
    char file[4096];
    snprintf(file, sizeof file, "%s/%s", golden_dir(), path);
    struct golden_case golden = {.path = path, .file = file, .entry = entry};
    size_t length = strlen(path);
    if (length > 5 && !strcmp(path + length - 5, ".json")) {
        golden.json = load_json(file);
    } else {
        struct rl_error err = {0};
        if (st_read(file, &golden.data, &err) != RL_OK) fail_msg("%s", err.message);
    }
    check(&golden, context);
    st_release(&golden.data);
    json_decref(golden.json);
}

void golden_each(const char *group, void (*check)(const struct golden_case *golden, void *context),
                 void *context) {
    char path[4096];
    snprintf(path, sizeof path, "%s/manifest.json", golden_dir());
    json_t *manifest = load_json(path);
    const char *name;
    json_t *entry;
    int count = 0;
    json_object_foreach(json_object_get(manifest, "files"), name, entry) {
        const char *own = json_string_value(json_object_get(entry, "group"));
        if (!own || strcmp(own, group)) continue;
        run_case(name, entry, check, context);
        count++;
    }
    print_message("%s: %d cases\n", group, count);
    if (count == 0) fail_msg("no case of group %s in %s", group, path);
    json_decref(manifest);
}

const struct st_tensor *golden_tensor(const struct golden_case *golden, const char *key) {
    const struct st_tensor *tensor = st_find(&golden->data, key);
    if (!tensor) fail_msg("%s: no tensor '%s'", golden->path, key);
    return tensor;
}

double *golden_doubles(const struct golden_case *golden, const char *key) {
    const struct st_tensor *tensor = golden_tensor(golden, key);
    double *values = MEM_ARRAY(double, tensor->count);
    st_copy_double(tensor, values);
    return values;
}

float *golden_floats(const struct golden_case *golden, const char *key) {
    const struct st_tensor *tensor = golden_tensor(golden, key);
    float *values = MEM_ARRAY(float, tensor->count);
    st_copy_float(tensor, values);
    return values;
}

void golden_near(const struct golden_case *golden, const char *key, const double *value,
                 int64_t count, double relative, double absolute) {
    const struct st_tensor *expected = golden_tensor(golden, key);
    if (expected->count != count) {
        fail_msg("%s %s: %lld values, expected %lld", golden->path, key, (long long)count,
                 (long long)expected->count);
    }
    double largest = 0, worst = -1;
    int64_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        double want = st_get(expected, i), difference = fabs(value[i] - want);
        if (fabs(want) > largest) largest = fabs(want);
        if (!(difference <= worst)) worst = difference, at = i; // NaN counts as worst
        if (difference != difference) break;
    }
    if (count && !(worst <= absolute + relative * largest)) {
        fail_msg("%s %s[%lld]: %.9g, expected %.9g (off by %.3g, allowed %.3g)", golden->path, key,
                 (long long)at, value[at], st_get(expected, at), worst,
                 absolute + relative * largest);
    }
}

void golden_near_float(const struct golden_case *golden, const char *key, const float *value,
                       int64_t count, double relative, double absolute) {
    double *wide = MEM_ARRAY(double, count);
    for (int64_t i = 0; i < count; i++) wide[i] = (double)value[i];
    golden_near(golden, key, wide, count, relative, absolute);
    mem_free(wide);
}
