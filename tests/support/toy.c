#include "support/toy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define SQUARE 8

static void draw(double x, double y, const uint8_t *colour, struct rng *rng, uint8_t *frame) {
    for (int row = 0; row < TOY_SIDE; row++) {
        for (int column = 0; column < TOY_SIDE; column++) {
            bool inside = fabs(row - y) < SQUARE / 2.0 && fabs(column - x) < SQUARE / 2.0;
            for (int c = 0; c < 3; c++) {
                uint8_t ground = (uint8_t)(40 + 2 * row + rng_below(rng, 8));
                *frame++ = inside ? colour[c] : ground;
            }
        }
    }
}

static double clamp(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}

struct replay *toy_replay(int entries, uint64_t seed) {
    struct replay_spec spec = {.capacity = entries,
                               .frame_dim = {TOY_SIDE, TOY_SIDE, 3},
                               .frame_stack = TOY_STACK,
                               .obs_dim = 2,
                               .action_dim = 2};
    struct rl_error err = {0};
    struct replay *replay = replay_create(&spec, &err);
    if (!replay) fail_msg("%s", err.message);
    struct rng rng = rng_fork(seed, "toy");
    uint8_t frame[TOY_SIDE * TOY_SIDE * 3], colour[3] = {0};
    double at[2] = {0}, velocity[2] = {0};
    for (int i = 0; i < entries; i++) {
        bool first = i % TOY_EPISODE == 0;
        for (int j = 0; first && j < 2; j++) {
            at[j] = rng_range(&rng, 4, TOY_SIDE - 4);
            velocity[j] = 0;
        }
        for (int c = 0; first && c < 3; c++) colour[c] = (uint8_t)(128 + rng_below(&rng, 128));
        draw(at[0], at[1], colour, &rng, frame);
        double distance = hypot(at[0] - TOY_SIDE / 2.0, at[1] - TOY_SIDE / 2.0);
        struct replay_entry entry = {.frame = frame,
                                     .obs = at,
                                     .reward = clamp(1 - distance / TOY_SIDE, 0, 1),
                                     .discount = 1,
                                     .first = first,
                                     .last = i % TOY_EPISODE == TOY_EPISODE - 1};
        replay_append(replay, &entry);
        if (entry.last) continue;
        real action[2];
        for (int j = 0; j < 2; j++) {
            action[j] = (real)rng_range(&rng, -1, 1);
            velocity[j] = 0.5 * velocity[j] + 3 * (double)action[j];
            at[j] = clamp(at[j] + velocity[j], 4, TOY_SIDE - 4);
        }
        replay_set_action(replay, action);
    }
    return replay;
}

uint8_t *toy_images(int count, uint64_t seed, int **labels) {
    const size_t each = TOY_SIDE * TOY_SIDE * 3;
    uint8_t *images = mem_alloc(count * each);
    *labels = MEM_ARRAY(int, count);
    struct rng rng = rng_fork(seed, "toy images");
    for (int i = 0; i < count; i++) {
        int label = (*labels)[i] = i % 10;
        uint8_t colour[3];
        for (int c = 0; c < 3; c++) colour[c] = (uint8_t)(128 + rng_below(&rng, 128));
        draw(6 + 5 * (label % 5) + rng_range(&rng, -1, 1),
             9 + 13 * (label / 5) + rng_range(&rng, -1, 1), colour, &rng, images + i * each);
    }
    return images;
}
