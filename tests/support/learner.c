#include "support/learner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/mem.h"
#include "support/toy.h"

struct learner *learner_create(const char *method, int threads, const char *settings) {
    struct learner *learner = MEM_NEW(struct learner);
    struct config config = {0};
    struct rl_error err = {0};
    char text[1024];
    snprintf(text, sizeof text,
             "ssl.batch=16 ssl.lr=1e-3 ssl.monitor_every=4 vit.patch=8 vit.pool=mean %s", settings);
    for (char *rest, *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *key = strchr(word, '.'), *value = strchr(word, '=');
        *key++ = *value++ = '\0';
        config_add(&config, word, key, value, "test", false);
    }
    struct encoder_spec spec = {.in_dim = {TOY_SIDE, TOY_SIDE, 3 * TOY_STACK}, .latent_dim = 24};
    struct rng rng = rng_seed(3);
    const char *encoder = ssl_find(method)->vit_only ? "vit" : "cnn";
    learner->encoder = encoder_create(encoder, &spec, &config, &rng, &err);
    if (!learner->encoder) fail_msg("%s", err.message);
    learner->pool = pool_create(threads, &err);
    struct ssl_spec own = {.action_dim = 2, .index_count = LEARNER_ENTRIES, .seed = 7};
    learner->ssl = ssl_create(method, &own, learner->encoder, &config, learner->pool, &err);
    if (!learner->ssl) fail_msg("%s: %s", method, err.message);
    config_release(&config);
    return learner;
}

void learner_destroy(struct learner *learner) {
    ssl_destroy(learner->ssl);
    encoder_destroy(learner->encoder);
    pool_destroy(learner->pool);
    mem_free(learner);
}

void learner_update(struct learner *learner, const struct ssl_source *source, int steps) {
    struct rl_error err = {0};
    metrics_clear(&learner->metrics);
    for (int i = 0; i < steps; i++) {
        if (ssl_update(learner->ssl, source, &learner->metrics, &err) != RL_OK)
            fail_msg("%s", err.message);
    }
}
