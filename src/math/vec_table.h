// What vec.c chooses between: one table of loops for each instruction set.
#pragma once

#include <stdint.h>

#include "math/vec.h"

#define VEC_LANES     16   // sums have this many parts in every variant
#define VEC_SUM_BLOCK 4096 // elements summed before the total goes to double
#define VEC_STRIP     128  // columns of a column sum at a time
#define VEC_ROW_BLOCK 128

// The part of a pooling window that lies inside the image.
struct vec_window {
    const real *corner; // its first pixel
    int rows, columns;
    size_t row_stride; // numbers between rows
    int first, kernel; // winner of row r, column c: first + r * kernel + c
};

struct vec_table {
    void (*kernel[VEC_N_OPS])(const struct vec_args *args, size_t begin, size_t end);
    void (*add_row)(int columns, const real *x, const real *b, bool relu, real *y);
    void (*mul_row)(int columns, const real *x, const real *b, bool accumulate, real *out);
    void (*sum_rows)(int rows, int width, int stride, const real *x, const real *y, real *out);
    void (*relu_sum_rows)(int rows, int width, int stride, const real *y, real *gy, real *gb);
    // y: the largest of the window for each channel; the first wins a tie, NaN always. winner may
    // be NULL.
    void (*max_window)(const struct vec_window *window, int channels, real *y, uint8_t *winner);
    double (*block_dot)(size_t count, const real *x, const real *y);
};

const struct vec_table *vec_table(void); // the one in force (math/simd.h)

extern const struct vec_table vec_table_portable, vec_table_avx2, vec_table_avx512;
