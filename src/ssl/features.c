#include "ssl/features.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "math/linalg.h"

#define CHUNK 64 // pictures encoded at once

static size_t picture_bytes(const struct encoder *encoder) {
    const int *dim = encoder->spec.in_dim;
    return (size_t)dim[0] * dim[1] * dim[2];
}

// The pictures begin .. begin + count as the encoder reads them; scratch holds CHUNK of them.
static const uint8_t *pictures(const struct encoder *encoder, const struct ssl_source *source,
                               int64_t begin, int count, uint8_t *scratch) {
    size_t each = picture_bytes(encoder);
    if (!source->replay) return source->images + (size_t)begin * each;
    for (int i = 0; i < count; i++)
        replay_stack(source->replay, begin + i, scratch + (size_t)i * each);
    return scratch;
}

enum rl_status features_encode(struct encoder *encoder, const struct ssl_source *source,
                               int64_t begin, int64_t count, struct pool *pool, real *x,
                               struct rl_error *err) {
    struct tape *tape = tape_create(encoder_tape_bytes(encoder, CHUNK) + (1 << 16), pool, err);
    if (!tape) return RL_ENOMEM;
    uint8_t *scratch = mem_alloc(CHUNK * picture_bytes(encoder));
    for (int64_t done = 0; done < count; done += CHUNK) {
        int n = count - done < CHUNK ? (int)(count - done) : CHUNK;
        tape_reset(tape);
        tape_set_recording(tape, false);
        struct encoder_input input = {
            .n = n, .pixels = pictures(encoder, source, begin + done, n, scratch)};
        struct tensor *z = encoder_forward(encoder, tape, &encoder->params, &input);
        memcpy(x + (size_t)done * encoder->out_dim, z->data, z->count * sizeof(real));
    }
    mem_free(scratch);
    tape_destroy(tape);
    return RL_OK;
}

enum rl_status features_attention(struct encoder *encoder, const struct ssl_source *source,
                                  int64_t begin, int count, int tokens, real *maps,
                                  struct rl_error *err) {
    RL_ASSERT(encoder->ops->attention && count <= CHUNK);
    struct tape *tape = tape_create(2 * encoder_tape_bytes(encoder, count) + (1 << 20), NULL, err);
    if (!tape) return RL_ENOMEM;
    uint8_t *scratch = mem_alloc(CHUNK * picture_bytes(encoder));
    tape_set_recording(tape, false);
    struct encoder_input input = {.n = count,
                                  .pixels = pictures(encoder, source, begin, count, scratch)};
    int heads;
    struct tensor *all = encoder->ops->attention(encoder, tape, &encoder->params, &input, &heads);
    RL_ASSERT(all->count == (size_t)count * heads * tokens);
    memset(maps, 0, (size_t)count * tokens * sizeof *maps);
    for (int i = 0; i < count * heads; i++) {
        real *map = maps + (size_t)(i / heads) * tokens;
        for (int t = 0; t < tokens; t++) map[t] += all->data[(size_t)i * tokens + t] / (real)heads;
    }
    mem_free(scratch);
    tape_destroy(tape);
    return RL_OK;
}

static double *covariance(const real *x, int n, int d, double *mean) {
    double *matrix = MEM_ARRAY(double, d *d), *row = MEM_ARRAY(double, d);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < d; j++) mean[j] += (double)x[(size_t)i * d + j] / n;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < d; j++) row[j] = (double)x[(size_t)i * d + j] - mean[j];
        for (int j = 0; j < d; j++)
            for (int k = 0; k < d; k++) matrix[j * d + k] += row[j] * row[k] / n;
    }
    mem_free(row);
    return matrix;
}

void features_plane(const real *x, int n, int d, real *plane, double *share) {
    double *mean = MEM_ARRAY(double, d), *matrix = covariance(x, n, d, mean);
    double *values = MEM_ARRAY(double, d), *vectors = MEM_ARRAY(double, d *d), total = 0;
    linalg_eigen(d, matrix, values, vectors);
    for (int j = 0; j < d; j++) total += values[j] > 0 ? values[j] : 0;
    for (int axis = 0; axis < 2; axis++) {
        int best = 0;
        for (int j = 1; j < d; j++) best = values[j] > values[best] ? j : best;
        double scale = values[best] > 0 ? 1 / sqrt(values[best]) : 0;
        if (share) share[axis] = total > 0 ? values[best] / total : 0;
        values[best] = -1; // taken
        for (int i = 0; i < n; i++) {
            double dot = 0;
            for (int j = 0; j < d; j++)
                dot += ((double)x[(size_t)i * d + j] - mean[j]) * vectors[(size_t)j * d + best];
            plane[2 * i + axis] = (real)(dot * scale);
        }
    }
    mem_free(mean);
    mem_free(matrix);
    mem_free(values);
    mem_free(vectors);
}
