// Named figures of one update or one tick, for the log. Adding a name again averages.
#pragma once

#include <stdint.h>

#define METRICS_MAX        96
#define METRICS_NAME_BYTES 48

struct metrics {
    char name[METRICS_MAX][METRICS_NAME_BYTES];
    double sum[METRICS_MAX];
    int64_t weight[METRICS_MAX];
    int count;
};

void metrics_clear(struct metrics *metrics);
void metrics_add(struct metrics *metrics, const char *name, double value);
double metrics_mean(const struct metrics *metrics, int index);
// Mean under that name; NaN when absent.
double metrics_get(const struct metrics *metrics, const char *name);
// Adds all of from's sums to into, each name with "prefix/" before it (prefix NULL: none).
void metrics_merge(struct metrics *into, const char *prefix, const struct metrics *from);
