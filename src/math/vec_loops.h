// The loops of vec.h, included once for every instruction set by vec_portable.c, vec_avx2.c,
// vec_avx512.c, which define VEC_TABLE, the name of the table that results.
#include <math.h>
#include <tgmath.h>

#include "math/vec_table.h"

// Different elements never meet, also where out is one of the inputs. (In double the C library's
// functions stand in the way of vectors anyhow.)
#if defined(RL_DOUBLE)
#define INDEPENDENT
#elif defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

#include "math/vec_exp.h"

#define VEC_KERNEL(name, value)                                                                    \
    static void loop_run_##name(const struct vec_args *args, size_t begin, size_t end) {           \
        const real *x = args->x, *y = args->y, *z = args->z;                                       \
        real *out = args->out;                                                                     \
        const real a = args->a, b = args->b;                                                       \
        (void)x, (void)y, (void)z, (void)a, (void)b;                                               \
        if (args->accumulate) {                                                                    \
            INDEPENDENT for (size_t i = begin; i < end; i++) out[i] += (value);                    \
        } else {                                                                                   \
            INDEPENDENT for (size_t i = begin; i < end; i++) out[i] = (value);                     \
        }                                                                                          \
    }
VEC_LIST(VEC_KERNEL)
#undef VEC_KERNEL

static void add_row(int columns, const real *x, const real *b, bool relu, real *y) {
    if (relu) {
        INDEPENDENT for (int j = 0; j < columns; j++) {
            real value = x[j] + b[j];
            y[j] = value < 0 ? 0 : value;
        }
    } else {
        INDEPENDENT for (int j = 0; j < columns; j++) y[j] = x[j] + b[j];
    }
}

static void mul_row(int columns, const real *x, const real *b, bool accumulate, real *out) {
    if (accumulate) {
        INDEPENDENT for (int j = 0; j < columns; j++) out[j] += x[j] * b[j];
    } else {
        INDEPENDENT for (int j = 0; j < columns; j++) out[j] = x[j] * b[j];
    }
}

// Column sums of a strip at most VEC_STRIP wide, kept in registers or L1 for a block of rows at a
// time, so that long columns lose no digits.
static void sum_rows(int rows, int width, int stride, const real *x, const real *y, real *out) {
    for (int block = 0; block < rows; block += VEC_ROW_BLOCK) {
        int stop = block + VEC_ROW_BLOCK < rows ? block + VEC_ROW_BLOCK : rows;
        real sum[VEC_STRIP] = {0};
        for (int i = block; i < stop; i++) {
            const real *row = x + (size_t)i * (size_t)stride;
            const real *other = y ? y + (size_t)i * (size_t)stride : NULL;
            if (other) {
                INDEPENDENT for (int j = 0; j < width; j++) sum[j] += row[j] * other[j];
            } else {
                INDEPENDENT for (int j = 0; j < width; j++) sum[j] += row[j];
            }
        }
        for (int j = 0; j < width; j++) out[j] += sum[j];
    }
}

static void relu_sum_rows(int rows, int width, int stride, const real *y, real *gy, real *gb) {
    for (int block = 0; block < rows; block += VEC_ROW_BLOCK) {
        int stop = block + VEC_ROW_BLOCK < rows ? block + VEC_ROW_BLOCK : rows;
        real sum[VEC_STRIP] = {0};
        for (int i = block; i < stop; i++) {
            const real *row = y + (size_t)i * (size_t)stride;
            real *grad = gy + (size_t)i * (size_t)stride;
            INDEPENDENT for (int j = 0; j < width; j++) {
                real left = row[j] > 0 ? grad[j] : 0;
                grad[j] = left;
                sum[j] += left;
            }
        }
        for (int j = 0; gb && j < width; j++) gb[j] += sum[j];
    }
}

// Of at most VEC_SUM_BLOCK elements; y may be NULL.
static double block_dot(size_t count, const real *x, const real *y) {
    real lane[VEC_LANES] = {0};
    size_t i = 0;
    for (; i + VEC_LANES <= count; i += VEC_LANES) {
        if (y) {
            for (int j = 0; j < VEC_LANES; j++) lane[j] += x[i + (size_t)j] * y[i + (size_t)j];
        } else {
            for (int j = 0; j < VEC_LANES; j++) lane[j] += x[i + (size_t)j];
        }
    }
    double total = 0;
    for (; i < count; i++) total += y ? (double)(x[i] * y[i]) : (double)x[i];
    for (int j = 0; j < VEC_LANES; j++) total += (double)lane[j];
    return total;
}

// width <= VEC_LANES channels from channel on.
static inline void max_lanes(const struct vec_window *window, size_t stride, int width,
                             const real *corner, real *y, uint8_t *winner) {
    real best[VEC_LANES];
    int32_t place[VEC_LANES];
    for (int c = 0; c < width; c++) best[c] = -INFINITY, place[c] = window->first;
    for (int row = 0; row < window->rows; row++) {
        const real *x = corner + (size_t)row * window->row_stride;
        for (int column = 0; column < window->columns; column++, x += stride) {
            int32_t here = window->first + row * window->kernel + column;
            for (int c = 0; c < width; c++) {
                bool wins = !(x[c] <= best[c]);
                best[c] = wins ? x[c] : best[c];
                place[c] = wins ? here : place[c];
            }
        }
    }
    for (int c = 0; c < width; c++) y[c] = best[c];
    for (int c = 0; winner && c < width; c++) winner[c] = (uint8_t)place[c];
}

static void max_window(const struct vec_window *window, int channels, real *y, uint8_t *winner) {
    for (int c = 0; c < channels; c += VEC_LANES) {
        const real *corner = window->corner + c;
        uint8_t *to = winner ? winner + c : NULL;
        if (c + VEC_LANES <= channels) { // a width known to the compiler stays in registers
            max_lanes(window, (size_t)channels, VEC_LANES, corner, y + c, to);
        } else {
            max_lanes(window, (size_t)channels, channels - c, corner, y + c, to);
        }
    }
}

const struct vec_table VEC_TABLE = {
    .kernel =
        {
#define VEC_ENTRY(name, value) loop_run_##name,
            VEC_LIST(VEC_ENTRY)
#undef VEC_ENTRY
        },
    .add_row = add_row,
    .mul_row = mul_row,
    .sum_rows = sum_rows,
    .relu_sum_rows = relu_sum_rows,
    .max_window = max_window,
    .block_dot = block_dot,
};
