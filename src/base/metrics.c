#include "base/metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

void metrics_clear(struct metrics *metrics) {
    metrics->count = 0;
}

static int find_or_add(struct metrics *metrics, const char *name) {
    for (int i = 0; i < metrics->count; i++) {
        if (!strcmp(metrics->name[i], name)) return i;
    }
    RL_ASSERT(metrics->count < METRICS_MAX && strlen(name) < METRICS_NAME_BYTES);
    int index = metrics->count++;
    strcpy(metrics->name[index], name);
    metrics->sum[index] = 0;
    metrics->weight[index] = 0;
    return index;
}

void metrics_add(struct metrics *metrics, const char *name, double value) {
    int index = find_or_add(metrics, name);
    metrics->sum[index] += value;
    metrics->weight[index]++;
}

double metrics_mean(const struct metrics *metrics, int index) {
    return metrics->sum[index] / (double)metrics->weight[index];
}

double metrics_get(const struct metrics *metrics, const char *name) {
    for (int i = 0; i < metrics->count; i++) {
        if (!strcmp(metrics->name[i], name)) return metrics_mean(metrics, i);
    }
    return NAN;
}

void metrics_merge(struct metrics *into, const char *prefix, const struct metrics *from) {
    for (int i = 0; i < from->count; i++) {
        char name[2 * METRICS_NAME_BYTES];
        snprintf(name, sizeof name, "%s%s%s", prefix ? prefix : "", prefix ? "/" : "",
                 from->name[i]);
        int index = find_or_add(into, name);
        into->sum[index] += from->sum[i];
        into->weight[index] += from->weight[i];
    }
}
