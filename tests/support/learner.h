// An encoder and an SSL method on the toy world, from one line of settings.
#pragma once

#include "ssl/ssl.h"

struct learner {
    struct pool *pool;
    struct encoder *encoder;
    struct ssl *ssl;
    struct metrics metrics; // of the last learner_update
};

#define LEARNER_ENTRIES 600 // capacity of the replay that it learns from

// settings: "section.key=value" words, on top of a batch of 16 and latents of 24.
struct learner *learner_create(const char *method, int threads, const char *settings);
void learner_destroy(struct learner *learner);
void learner_update(struct learner *learner, const struct ssl_source *source, int steps);
