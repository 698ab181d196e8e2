// The loop of math/peak.h over math/lanes.h; included once for each instruction set.
#include "math/lanes.h"
#include "math/peak.h"

#define CHAINS      12 // covers latency times ports with registers to spare
#define ROUNDS      4000
#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)

int64_t JOIN(peak_burn_, LANES_TABLE)(void) {
    volatile float start = 1e-3f; // unknown to the compiler, so that nothing is worked out before
    vec sum[CHAINS], a = vec_all(start), b = vec_all(1 - start);
    for (int i = 0; i < CHAINS; i++) sum[i] = vec_all(start * (float)i);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CHAINS; i++) sum[i] = vec_fma(sum[i], b, a);
    }
    float lanes[LANES], total = 0;
    for (int i = 0; i < CHAINS; i++) {
        vec_store(lanes, sum[i]);
        total += lanes[0];
    }
    start = total;
    return (int64_t)2 * LANES * CHAINS * ROUNDS;
}
