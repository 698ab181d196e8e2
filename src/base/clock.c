#include "base/clock.h"

#include <time.h>

static double read_clock_s(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double clock_now_s(void) {
    return read_clock_s(CLOCK_MONOTONIC);
}

double clock_thread_cpu_s(void) {
    return read_clock_s(CLOCK_THREAD_CPUTIME_ID);
}

double clock_process_cpu_s(void) {
    return read_clock_s(CLOCK_PROCESS_CPUTIME_ID);
}
