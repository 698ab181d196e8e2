// Jigsaw puzzles (Noroozi and Favaro 2016): tell which permutation the tiles were put in. The tiles
// are shown as one picture, so that the encoder is used as it will be used later (the paper encodes
// each alone). Permutations are chosen far apart in Hamming distance, greedily, as in the paper.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ssl/pretext.h"

#define MAX_GRID   4
#define MAX_TILES  (MAX_GRID * MAX_GRID)
#define CANDIDATES 512

struct jigsaw_options {
    int64_t grid, permutations;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct jigsaw_options, grid, "3", 2, MAX_GRID, "tiles along a side"),
    OPT_ROW_INT(struct jigsaw_options, permutations, "24", 2, CANDIDATES,
                "classes (paper: up to 1000); a grid of 2 has 24"),
    OPT_END};

struct jigsaw {
    struct pretext pretext;
    int order[CANDIDATES][MAX_TILES]; // the first classes of them are used
};

static int distance(const int *a, const int *b, int tiles) {
    int different = 0;
    for (int i = 0; i < tiles; i++) different += a[i] != b[i];
    return different;
}

// Random candidates, then each next one is that farthest from those before it. Returns how many are
// different from one another.
static int choose(struct jigsaw *jigsaw, int tiles, int wanted) {
    struct rng rng = rng_fork(0, "jigsaw"); // the same classes in every run
    int nearest[CANDIDATES];                // distance to those chosen
    for (int c = 0; c < CANDIDATES; c++) {
        int *order = jigsaw->order[c];
        nearest[c] = tiles;
        for (int i = 0; i < tiles; i++) order[i] = i;
        for (int i = tiles - 1; c > 0 && i > 0; i--) { // the first is the picture as it is
            int j = (int)rng_below(&rng, i + 1), swap = order[i];
            order[i] = order[j];
            order[j] = swap;
        }
    }
    for (int chosen = 1; chosen < wanted; chosen++) {
        int best = chosen;
        for (int c = chosen; c < CANDIDATES; c++) {
            int d = distance(jigsaw->order[c], jigsaw->order[chosen - 1], tiles);
            if (d < nearest[c]) nearest[c] = d;
            if (nearest[c] > nearest[best]) best = c;
        }
        if (nearest[best] == 0) return chosen;
        int swap[MAX_TILES], kept = nearest[chosen];
        memcpy(swap, jigsaw->order[chosen], sizeof swap);
        memcpy(jigsaw->order[chosen], jigsaw->order[best], sizeof swap);
        memcpy(jigsaw->order[best], swap, sizeof swap);
        nearest[chosen] = nearest[best];
        nearest[best] = kept;
    }
    return wanted;
}

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    const struct jigsaw_options *options = ssl->options;
    struct jigsaw *jigsaw = ssl->state;
    int grid = (int)options->grid, wanted = (int)options->permutations;
    const int *dim = ssl->encoder->spec.in_dim;
    if (dim[0] < 2 * grid || dim[1] < 2 * grid)
        return rl_fail(err, RL_EUSAGE, "pictures of %d x %d are too small for jigsaw.grid %d",
                       dim[0], dim[1], grid);
    int found = choose(jigsaw, grid * grid, wanted);
    if (found < wanted)
        return rl_fail(err, RL_EUSAGE, "jigsaw.grid %d has only %d permutations, not %d", grid,
                       found, wanted);
    pretext_create(&jigsaw->pretext, ssl, wanted);
    return RL_OK;
}

// Pixels beyond the last whole tile stay as they are.
static void shuffle(const struct ssl *ssl, const uint8_t *in, int label, uint8_t *out) {
    const struct jigsaw_options *options = ssl->options;
    const struct jigsaw *jigsaw = ssl->state;
    const int *dim = ssl->encoder->spec.in_dim, *order = jigsaw->order[label];
    int grid = (int)options->grid, high = dim[0] / grid, wide = dim[1] / grid;
    size_t line = (size_t)dim[1] * dim[2], run = (size_t)wide * dim[2];
    memcpy(out, in, (size_t)dim[0] * line);
    for (int tile = 0; tile < grid * grid; tile++) {
        int from = order[tile];
        const uint8_t *source = in + (size_t)(from / grid * high) * line + from % grid * run;
        uint8_t *to = out + (size_t)(tile / grid * high) * line + tile % grid * run;
        for (int y = 0; y < high; y++) memcpy(to + y * line, source + y * line, run);
    }
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    struct jigsaw *jigsaw = ssl->state;
    return pretext_loss(&jigsaw->pretext, ssl, batch, shuffle, metrics);
}

static double chance(const struct ssl *ssl) {
    return log((double)((const struct jigsaw_options *)ssl->options)->permutations);
}

static void destroy(struct ssl *ssl) {
    pretext_release(&((struct jigsaw *)ssl->state)->pretext);
}

const struct ssl_ops ssl_jigsaw = {
    .name = "jigsaw",
    .summary = "tells how a picture's tiles were put (pretext task)",
    .paper = "Noroozi and Favaro 2016, arXiv 1603.09246",
    .collapse_hint = "the task may not need the content: try another method",
    .opts = {"jigsaw", specs},
    .options_bytes = sizeof(struct jigsaw_options),
    .state_bytes = sizeof(struct jigsaw),
    .one_way = true,
    .create = create,
    .loss = loss,
    .chance = chance,
    .destroy = destroy,
};
