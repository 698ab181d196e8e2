// What C lacks for whole numbers.
#pragma once

static inline int min_int(int a, int b) {
    return a < b ? a : b;
}

static inline int max_int(int a, int b) {
    return a > b ? a : b;
}

// The least multiple of grain that is not below count.
static inline int round_up(int count, int grain) {
    return (count + grain - 1) / grain * grain;
}
