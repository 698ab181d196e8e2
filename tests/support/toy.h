// A small world for tests of learners from pixels: a square, whose colour tells the episode, moved
// by a 2-d action over a 32x32 field; the reward is 1 at the middle and falls with the distance.
#pragma once

#include "replay/replay.h"

#define TOY_SIDE    32
#define TOY_STACK   3
#define TOY_EPISODE 25

// A replay filled with `entries` frames of random actions; destroy it with replay_destroy.
struct replay *toy_replay(int entries, uint64_t seed);
// (count, 32, 32, 3) pictures of the square in ten places, and their labels; mem_free both.
uint8_t *toy_images(int count, uint64_t seed, int **labels);
