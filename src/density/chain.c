// Drawing from a density model, place after place.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "density/density.h"

// Rows under way, all with the same order; grouped so from a larger set.
struct draw {
    struct density *density;
    struct rng *rng;
    const uint8_t *known;
    struct density_chain chain;
    real *x, *y, *logit;
    double *weight; // log-likelihood of the known places, one a row
};

static void place_logits(struct draw *draw, int step, int place) {
    struct density *density = draw->density;
    struct density_chain *chain = &draw->chain;
    int d = density->size, classes = density->spec.classes;
    if (!density->ops->chain_logits) {
        tape_reset(density->tape);
        tape_set_recording(density->tape, false);
        struct tensor *x = tape_input_2d(density->tape, draw->x, chain->n, d);
        struct tensor *y =
            classes ? tape_input_2d(density->tape, draw->y, chain->n, classes) : NULL;
        const real *all = density_logits(density, chain->order, x, y)->data;
        for (int i = 0; i < chain->n; i++) draw->logit[i] = all[(size_t)i * d + place];
        return;
    }
    density->ops->chain_logits(density, chain, step, draw->logit);
    if (!classes) return;
    const struct param_item *label = &density->params.items[density->label];
    const real *own = density->params.value + label->offset + (size_t)place * classes;
    for (int i = 0; i < chain->n; i++) {
        for (int k = 0; k < classes; k++) draw->logit[i] += own[k] * draw->y[i * classes + k];
    }
}

static void run(struct draw *draw) {
    struct density *density = draw->density;
    int n = draw->chain.n, d = density->size;
    const int *order = density->orders + (size_t)draw->chain.order * d;
    for (int step = 0; step < d; step++) {
        int place = order[step];
        place_logits(draw, step, place);
        for (int i = 0; i < n; i++) {
            real *x = draw->x + (size_t)i * d + place;
            double logit = (double)draw->logit[i];
            if (draw->known && draw->known[place]) {
                double away = *x != 0 ? -logit : logit;
                draw->weight[i] -= (away > 0 ? away : 0) + log1p(exp(-fabs(away)));
            } else {
                *x = rng_uniform(draw->rng) < 1 / (1 + exp(-logit));
            }
        }
    }
}

static int draw_class(const struct density *density, struct rng *rng) {
    double prior[DENSITY_MAX_CLASSES], left = rng_uniform(rng);
    density_log_prior(density, prior);
    int class = 0;
    while (class + 1 < density->spec.classes && (left -= exp(prior[class])) >= 0) class ++;
    return class;
}

// Rows of x (count, D) completed in place, in chunks of one order each; order and label: one a row.
static void complete(struct draw *draw, int count, uint8_t *x, const int *order, const int *label,
                     double *weight) {
    struct density *density = draw->density;
    int d = density->size, classes = density->spec.classes, batch = density->spec.batch;
    int *row = MEM_ARRAY(int, batch);
    size_t bytes = density->ops->chain_bytes ? density->ops->chain_bytes(density, batch) : 0;
    draw->chain.state = mem_alloc(bytes);
    for (int k = 0; k < density->n_orders; k++) {
        for (int next = 0; next < count;) {
            int n = 0;
            for (; next < count && n < batch; next++) {
                if (order[next] == k) row[n++] = next;
            }
            if (!n) break;
            for (int i = 0; i < n; i++) {
                const uint8_t *from = x + (size_t)row[i] * d;
                for (int j = 0; j < d; j++) draw->x[(size_t)i * d + j] = (real)from[j];
                for (int c = 0; c < classes; c++) draw->y[i * classes + c] = label[row[i]] == c;
                draw->weight[i] = 0;
            }
            draw->chain.n = n;
            draw->chain.order = k;
            memset(draw->chain.state, 0, bytes);
            run(draw);
            for (int i = 0; i < n; i++) {
                for (int j = 0; j < d; j++)
                    x[(size_t)row[i] * d + j] = draw->x[(size_t)i * d + j] != 0;
                weight[row[i]] = draw->weight[i];
            }
        }
    }
    mem_free(draw->chain.state);
    mem_free(row);
}

// An index below count with chance proportional to exp(weight).
static int choose(struct rng *rng, int count, const double *weight) {
    double most = weight[0], total = 0;
    for (int i = 1; i < count; i++) most = fmax(most, weight[i]);
    for (int i = 0; i < count; i++) total += exp(weight[i] - most);
    double left = rng_uniform(rng) * total;
    int chosen = 0;
    while (chosen + 1 < count && (left -= exp(weight[chosen] - most)) >= 0) chosen++;
    return chosen;
}

void density_draw(struct density *density, struct rng *rng, int n, uint8_t *x, const uint8_t *known,
                  int particles, const int *label, int *label_out) {
    RL_ASSERT(n > 0 && particles > 0);
    int d = density->size, batch = density->spec.batch, count = n * particles;
    real *logit = MEM_ARRAY(real, batch);
    double *own = MEM_ARRAY(double, batch), *weight = MEM_ARRAY(double, count);
    int *order = MEM_ARRAY(int, count), *class = MEM_ARRAY(int, count);
    uint8_t *rows = mem_alloc((size_t)count * d);
    struct draw draw = {.density = density,
                        .rng = rng,
                        .known = known,
                        .x = density->x,
                        .y = density->y,
                        .logit = logit,
                        .weight = own};
    draw.chain.x = density->x;
    draw.chain.y = density->spec.classes ? density->y : NULL;
    for (int i = 0; i < count; i++) {
        const uint8_t *from = x + (size_t)(i / particles) * d;
        for (int j = 0; j < d; j++) rows[(size_t)i * d + j] = known && known[j] ? from[j] : 0;
        order[i] = (int)rng_below(rng, (uint32_t)density->n_orders);
        if (density->spec.classes)
            class[i] = label ? label[i / particles] : draw_class(density, rng);
    }
    complete(&draw, count, rows, order, class, weight);
    for (int i = 0; i < n; i++) {
        int chosen = i * particles + choose(rng, particles, weight + (size_t)i * particles);
        memcpy(x + (size_t)i * d, rows + (size_t)chosen * d, (size_t)d);
        if (label_out) label_out[i] = class[chosen];
    }
    mem_free(rows);
    mem_free(class);
    mem_free(order);
    mem_free(weight);
    mem_free(own);
    mem_free(logit);
}
