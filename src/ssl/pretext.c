#include "ssl/pretext.h"

#include "base/mem.h"

#define HIDDEN 256

static size_t picture_bytes(const struct ssl *ssl) {
    const int *dim = ssl->encoder->spec.in_dim;
    return (size_t)dim[0] * dim[1] * dim[2];
}

void pretext_create(struct pretext *pretext, struct ssl *ssl, int classes) {
    pretext->classes = classes;
    pretext->pixels = mem_alloc(mem_size(ssl->common.batch, picture_bytes(ssl)));
    pretext->label = MEM_ARRAY(int, ssl->common.batch);
    pretext->head =
        mlp_add(&ssl->heads, "classifier", 3, (int[]){ssl->encoder->out_dim, HIDDEN, classes},
                ACTIVATION_RELU, (struct init){INIT_FAN_IN, 0});
    // The changed pictures are encoded beside what the control heads ask for.
    ssl->extra_bytes = encoder_tape_bytes(ssl->encoder, (int)ssl->common.batch);
}

void pretext_release(struct pretext *pretext) {
    mem_free(pretext->pixels);
    mem_free(pretext->label);
}

struct tensor *pretext_loss(struct pretext *pretext, struct ssl *ssl, const struct ssl_batch *batch,
                            pretext_change_fn change, struct metrics *metrics) {
    size_t each = picture_bytes(ssl);
    for (int i = 0; i < batch->n; i++) {
        pretext->label[i] = (int)rng_below(&ssl->rng, (uint32_t)pretext->classes);
        change(ssl, batch->view[0] + i * each, pretext->label[i], pretext->pixels + i * each);
    }
    struct tensor *z = ssl_encode_pixels(ssl, batch, pretext->pixels);
    ssl_watch(ssl, z);
    struct tensor *logits = mlp(ssl->tape, &ssl->heads, &pretext->head, z);
    int right = 0;
    for (int i = 0; i < batch->n; i++) {
        const real *row = logits->data + (size_t)i * pretext->classes;
        int best = 0;
        for (int j = 1; j < pretext->classes; j++) best = row[j] > row[best] ? j : best;
        right += best == pretext->label[i];
    }
    metrics_add(metrics, "accuracy", (double)right / batch->n);
    return op_cross_entropy(ssl->tape, logits, pretext->label);
}
