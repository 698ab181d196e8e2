// The loops of norm.h, included once for every instruction set by norm_portable.c, norm_avx2.c,
// norm_avx512.c, which define NORM_TABLE, the name of the table that results. Sums are taken in
// LANES parts of a limited length, whose totals are added in double; all variants give the same
// bits.
#include <string.h>
#include <tgmath.h>

#include "math/norm_table.h"

#define LANES     16
#define ROW_BLOCK 128 // rows that a column sum adds before its total goes to double
#define SUM_BLOCK 4096

struct sums {
    double g, product;
};

// Partial sums as one value, so that they stay in registers; memory need not be aligned.
typedef real lanes __attribute__((vector_size(LANES * sizeof(real))));

// Sums of g and of g (x - center) with g = gy w; without gy, of x - center and its square. w, if
// not NULL, has the same length.
static void add_sums(int count, const real *restrict x, real center, const real *restrict gy,
                     const real *restrict w, struct sums *sums) {
    for (int i = 0; i < count; i += SUM_BLOCK) {
        int stop = count - i < SUM_BLOCK ? count : i + SUM_BLOCK, j = i;
        lanes first = {0}, second = {0};
        for (; j + LANES <= stop; j += LANES) {
            lanes off, g, factor;
            memcpy(&off, x + j, sizeof off);
            off -= center;
            g = off;
            if (gy) memcpy(&g, gy + j, sizeof g);
            if (gy && w) {
                memcpy(&factor, w + j, sizeof factor);
                g *= factor;
            }
            first += g;
            second += g * off;
        }
        for (int k = 0; j + k < stop; k++) {
            real off = x[j + k] - center, g = gy ? gy[j + k] : off;
            if (gy && w) g *= w[j + k];
            first[k] += g;
            second[k] += g * off;
        }
        for (int k = 0; k < LANES; k++) {
            sums->g += (double)first[k];
            sums->product += (double)second[k];
        }
    }
}

static real rstd_of(double variance, double eps) {
    return (real)(1 / sqrt(variance + eps));
}

// y = (x - mean) rstd w + b; w and b may be NULL.
static void normalize(int count, const real *restrict x, real mean, real rstd,
                      const real *restrict w, const real *restrict b, real *restrict y) {
    if (w && b) {
        for (int j = 0; j < count; j++) y[j] = (x[j] - mean) * rstd * w[j] + b[j];
    } else if (w) {
        for (int j = 0; j < count; j++) y[j] = (x[j] - mean) * rstd * w[j];
    } else if (b) {
        for (int j = 0; j < count; j++) y[j] = (x[j] - mean) * rstd + b[j];
    } else {
        for (int j = 0; j < count; j++) y[j] = (x[j] - mean) * rstd;
    }
}

// The same number for a whole group of elements: gx (+)= rstd (g - mean_g - (x - mean) slope), g =
// gy w.
struct slope {
    real mean, rstd, mean_g, slope;
};

static struct slope slope_of(real mean, real rstd, const struct sums *sums, double count) {
    return (struct slope){mean, rstd, (real)(sums->g / count),
                          (real)(sums->product / count) * rstd * rstd};
}

static void input_gradient(int count, const real *restrict x, const real *restrict gy,
                           const real *restrict w, const struct slope *slope, bool accumulate,
                           real *restrict gx) {
    const struct slope s = *slope;
#define EACH(g, op)                                                                                \
    for (int j = 0; j < count; j++) {                                                              \
        gx[j] op s.rstd *((g)-s.mean_g - (x[j] - s.mean) * s.slope);                               \
    }
    if (w && accumulate) {
        EACH(gy[j] * w[j], +=)
    } else if (w) {
        EACH(gy[j] * w[j], =)
    } else if (accumulate) {
        EACH(gy[j], +=)
    } else {
        EACH(gy[j], =)
    }
#undef EACH
}

// --- layer norm ---

static void layer_forward(void *context, int task) {
    const struct norm_layer_call *call = context;
    struct pool_range range = pool_split(call->rows, call->n_parts, task, 1);
    int columns = call->columns;
    for (int i = range.begin; i < range.end; i++) {
        const real *x = call->x + (size_t)i * (size_t)columns;
        struct sums sums = {0}, off = {0};
        add_sums(columns, x, 0, NULL, NULL, &sums);
        real mean = (real)(sums.g / columns);
        add_sums(columns, x, mean, NULL, NULL, &off);
        real rstd = rstd_of(off.product / columns, call->eps);
        normalize(columns, x, mean, rstd, call->w, call->b, call->y + (size_t)i * (size_t)columns);
        if (call->mean) call->mean[i] = mean;
        if (call->rstd) call->rstd[i] = rstd;
    }
}

static void layer_backward(void *context, int task) {
    const struct norm_layer_call *call = context;
    struct pool_range range = pool_split(call->rows, call->n_parts, task, 1);
    int columns = call->columns;
    real *restrict gw = call->gw ? call->gw + (size_t)task * (size_t)columns : NULL;
    real *restrict gb = call->gb ? call->gb + (size_t)task * (size_t)columns : NULL;
    for (int i = range.begin; i < range.end; i++) {
        size_t at = (size_t)i * (size_t)columns;
        const real *restrict x = call->x + at, *restrict gy = call->gy + at;
        const real mean = call->mean[i], rstd = call->rstd[i];
        if (gw) {
            for (int j = 0; j < columns; j++) gw[j] += gy[j] * ((x[j] - mean) * rstd);
        }
        if (gb) {
            for (int j = 0; j < columns; j++) gb[j] += gy[j];
        }
        if (!call->gx) continue;
        struct sums sums = {0};
        add_sums(columns, x, mean, gy, call->w, &sums);
        struct slope slope = slope_of(mean, rstd, &sums, columns);
        input_gradient(columns, x, gy, call->w, &slope, call->accumulate, call->gx + at);
    }
}

// --- batch norm ---

static int strip_width(const struct norm_batch_call *call, int task) {
    int left = call->columns - task * NORM_STRIP;
    return left < NORM_STRIP ? left : NORM_STRIP;
}

static const real *row_at(const struct norm_batch_call *call, const real *x, int row, int task) {
    return x + (size_t)row * (size_t)call->columns + (size_t)task * NORM_STRIP;
}

// Column sums of x - center (or of gy) and of their products with x - center.
static void strip_sums(const struct norm_batch_call *call, int task, const real *center,
                       double *sum, double *product) {
    int width = strip_width(call, task);
    for (int begin = 0; begin < call->rows; begin += ROW_BLOCK) {
        int stop = call->rows - begin < ROW_BLOCK ? call->rows : begin + ROW_BLOCK;
        real first[NORM_STRIP] = {0}, second[NORM_STRIP] = {0};
        for (int i = begin; i < stop; i++) {
            const real *restrict x = row_at(call, call->x, i, task);
            const real *restrict gy = call->gy ? row_at(call, call->gy, i, task) : NULL;
            for (int j = 0; gy && j < width; j++) {
                first[j] += gy[j];
                second[j] += gy[j] * (x[j] - center[j]);
            }
            for (int j = 0; !gy && j < width; j++) {
                real off = x[j] - center[j];
                first[j] += off;
                second[j] += off * off;
            }
        }
        for (int j = 0; j < width; j++) {
            sum[j] += (double)first[j];
            product[j] += (double)second[j];
        }
    }
}

static void batch_statistics(void *context, int task) {
    const struct norm_batch_call *call = context;
    int width = strip_width(call, task);
    real *mean = call->out + task * NORM_STRIP, *variance = call->out_variance + task * NORM_STRIP;
    for (int pass = 0; pass < 2; pass++) { // about 0, then about the mean
        double sum[NORM_STRIP] = {0}, square[NORM_STRIP] = {0};
        real center[NORM_STRIP] = {0};
        if (pass) memcpy(center, mean, (size_t)width * sizeof *center);
        strip_sums(call, task, center, sum, square);
        for (int j = 0; j < width; j++) {
            if (pass) {
                variance[j] = (real)(square[j] / call->rows);
            } else {
                mean[j] = (real)(sum[j] / call->rows);
            }
        }
    }
}

static void batch_apply(void *context, int task) {
    const struct norm_batch_call *call = context;
    int width = strip_width(call, task), begin = task * NORM_STRIP;
    real mean[NORM_STRIP], scale[NORM_STRIP], shift[NORM_STRIP];
    for (int j = 0; j < width; j++) {
        mean[j] = call->mean[begin + j];
        scale[j] = call->w ? call->rstd[begin + j] * call->w[begin + j] : call->rstd[begin + j];
        shift[j] = call->b ? call->b[begin + j] : 0;
    }
    for (int i = 0; i < call->rows; i++) {
        const real *restrict x = row_at(call, call->x, i, task);
        real *restrict y = call->out + (x - call->x);
        for (int j = 0; j < width; j++) y[j] = (x[j] - mean[j]) * scale[j] + shift[j];
    }
}

// As layer norm's, with rows and columns exchanged; without the two means when the statistics are
// fixed.
static void batch_backward(void *context, int task) {
    const struct norm_batch_call *call = context;
    int width = strip_width(call, task), begin = task * NORM_STRIP;
    double sum[NORM_STRIP] = {0}, dot[NORM_STRIP] = {0};
    strip_sums(call, task, call->mean + begin, sum, dot);
    real mean[NORM_STRIP], scale[NORM_STRIP], mean_g[NORM_STRIP], slope[NORM_STRIP];
    for (int j = 0; j < width; j++) {
        real rstd = call->rstd[begin + j];
        mean[j] = call->mean[begin + j];
        if (call->gw) call->gw[begin + j] += (real)dot[j] * rstd;
        if (call->gb) call->gb[begin + j] += (real)sum[j];
        scale[j] = call->w ? rstd * call->w[begin + j] : rstd;
        mean_g[j] = call->train ? (real)(sum[j] / call->rows) : 0;
        slope[j] = call->train ? (real)(dot[j] / call->rows) * rstd * rstd : 0;
    }
    for (int i = 0; call->gx && i < call->rows; i++) {
        const real *restrict x = row_at(call, call->x, i, task);
        const real *restrict gy = row_at(call, call->gy, i, task);
        real *restrict gx = call->gx + (x - call->x);
        for (int j = 0; call->accumulate && j < width; j++) {
            gx[j] += scale[j] * (gy[j] - mean_g[j] - (x[j] - mean[j]) * slope[j]);
        }
        for (int j = 0; !call->accumulate && j < width; j++) {
            gx[j] = scale[j] * (gy[j] - mean_g[j] - (x[j] - mean[j]) * slope[j]);
        }
    }
}

// --- group norm ---

struct group {
    size_t at;                  // of its first element
    int channel, width, stride; // first channel, channels, elements between spots
};

static struct group group_of(const struct norm_group_shape *shape, int task) {
    int width = shape->channels / shape->groups, sample = task / shape->groups;
    int channel = task % shape->groups * width;
    size_t image = (size_t)shape->spots * (size_t)shape->channels;
    return (struct group){(size_t)sample * image + (size_t)channel, channel, width,
                          shape->channels};
}

static const real *channel_or_null(const real *w, const struct group *group) {
    return w ? w + group->channel : NULL;
}

static struct sums group_sums(const struct norm_group_call *call, const struct group *group,
                              real center) {
    struct sums sums = {0};
    const real *w = channel_or_null(call->w, group);
    for (int s = 0; s < call->shape.spots; s++) {
        size_t at = group->at + (size_t)s * (size_t)group->stride;
        add_sums(group->width, call->x + at, center, call->gy ? call->gy + at : NULL, w, &sums);
    }
    return sums;
}

static void group_forward(void *context, int task) {
    const struct norm_group_call *call = context;
    struct group group = group_of(&call->shape, task);
    double count = (double)group.width * call->shape.spots;
    real mean = (real)(group_sums(call, &group, 0).g / count);
    real rstd = rstd_of(group_sums(call, &group, mean).product / count, call->eps);
    const real *w = channel_or_null(call->w, &group), *b = channel_or_null(call->b, &group);
    for (int s = 0; s < call->shape.spots; s++) {
        size_t at = group.at + (size_t)s * (size_t)group.stride;
        normalize(group.width, call->x + at, mean, rstd, w, b, call->y + at);
    }
    call->mean[task] = mean;
    call->rstd[task] = rstd;
}

static void group_backward(void *context, int task) {
    const struct norm_group_call *call = context;
    struct group group = group_of(&call->shape, task);
    real mean = call->mean[task];
    struct sums sums = group_sums(call, &group, mean);
    double count = (double)group.width * call->shape.spots;
    struct slope slope = slope_of(mean, call->rstd[task], &sums, count);
    const real *w = channel_or_null(call->w, &group);
    for (int s = 0; s < call->shape.spots; s++) {
        size_t at = group.at + (size_t)s * (size_t)group.stride;
        input_gradient(group.width, call->x + at, call->gy + at, w, &slope, call->accumulate,
                       call->gx + at);
    }
}

const struct norm_table NORM_TABLE = {
    .layer_forward = layer_forward,
    .layer_backward = layer_backward,
    .batch_statistics = batch_statistics,
    .batch_apply = batch_apply,
    .batch_backward = batch_backward,
    .group_forward = group_forward,
    .group_backward = group_backward,
};
