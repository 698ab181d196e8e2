// The transforms of math/winograd.h over math/lanes.h; included once for each instruction set.
#include "math/lanes.h"
#include "math/winograd.h"

#define A1 WINOGRAD_A
#define B1 WINOGRAD_B
#define A2 0.5f // A^2, B^2, and A^2 B^2 = 1
#define B2 2.0f
#define A3 (A1 * A2)
#define B3 (B1 * B2)

// B': out[p] = value of the polynomial prod over q != p of (x - q), applied to d.
INLINE void input_1d(const vec d[6], vec out[6]) {
    vec even_a = vec_fma(vec_all(-B2), d[2], d[4]), odd_a = vec_fma(vec_all(-B2), d[1], d[3]);
    vec even_b = vec_fma(vec_all(-A2), d[2], d[4]), odd_b = vec_fma(vec_all(-A2), d[1], d[3]);
    vec sum = vec_all(-(A2 + B2));
    out[0] = vec_fma(sum, d[2], d[0] + d[4]);
    out[1] = vec_fma(vec_all(A1), odd_a, even_a);
    out[2] = vec_fma(vec_all(-A1), odd_a, even_a);
    out[3] = vec_fma(vec_all(B1), odd_b, even_b);
    out[4] = vec_fma(vec_all(-B1), odd_b, even_b);
    out[5] = vec_fma(sum, d[3], d[1] + d[5]);
}

// A': out[i] = sum over points p of p^i m[p], infinity counting for i = 3.
INLINE void output_1d(const vec m[6], vec out[4]) {
    vec sum_a = m[1] + m[2], sum_b = m[3] + m[4], less_a = m[1] - m[2], less_b = m[3] - m[4];
    out[0] = m[0] + sum_a + sum_b;
    out[1] = vec_fma(vec_all(A1), less_a, vec_all(B1) * less_b);
    out[2] = vec_fma(vec_all(A2), sum_a, vec_all(B2) * sum_b);
    out[3] = vec_fma(vec_all(A3), less_a, vec_fma(vec_all(B3), less_b, m[5]));
}

// A: out[p] = the polynomial with coefficients g at p.
INLINE void gradient_1d(const vec g[4], vec out[6]) {
    vec even_a = vec_fma(vec_all(A2), g[2], g[0]), odd_a = vec_fma(vec_all(A2), g[3], g[1]);
    vec even_b = vec_fma(vec_all(B2), g[2], g[0]), odd_b = vec_fma(vec_all(B2), g[3], g[1]);
    out[0] = g[0];
    out[1] = vec_fma(vec_all(A1), odd_a, even_a);
    out[2] = vec_fma(vec_all(-A1), odd_a, even_a);
    out[3] = vec_fma(vec_all(B1), odd_b, even_b);
    out[4] = vec_fma(vec_all(-B1), odd_b, even_b);
    out[5] = g[3];
}

INLINE vec load_at(const struct winograd_strip *s, int row, ptrdiff_t at, bool masked) {
    if (!s->row[row]) return vec_all(0);
    vec x = vec_load(s->row[row] + at);
    return masked ? vec_positive(x, vec_load(s->mask[row] + at)) : x;
}

// One vector of channels of the whole strip: down the columns (neighbouring tiles share two of
// them), then along the rows. n_in rows and columns a tile come in, 6 x 6 go out; step is the
// tile's width.
INLINE void transform(const struct winograd_strip *s, int c, int n_in, bool masked,
                      void (*one)(const vec *in, vec *out)) {
    int columns = WINOGRAD_OUT * s->n_tiles + n_in - WINOGRAD_OUT;
    float *scratch = s->scratch;
    vec sum = vec_all(0);
    for (int x = 0; x < columns; x++) {
        int column = x - s->pad;
        vec in[6], out[6];
        if (column >= 0 && column < s->width) {
            for (int i = 0; i < n_in; i++) {
                in[i] = load_at(s, i, (ptrdiff_t)column * s->channels + c, masked);
            }
            one(in, out);
            if (n_in == 4) sum += (in[0] + in[1]) + (in[2] + in[3]);
        } else {
            for (int i = 0; i < 6; i++) out[i] = vec_all(0);
        }
        for (int i = 0; i < 6; i++) vec_store(scratch + (i * columns + x) * LANES, out[i]);
    }
    if (n_in == 4 && s->sum) vec_store(s->sum + c, vec_load(s->sum + c) + sum);
    for (int i = 0; i < 6; i++) {
        for (int tile = 0; tile < s->n_tiles; tile++) {
            const float *from = scratch + (i * columns + WINOGRAD_OUT * tile) * LANES;
            vec in[6], out[6];
            for (int j = 0; j < n_in; j++) in[j] = vec_load(from + j * LANES);
            one(in, out);
            float *to = s->space + 6 * i * s->position_step + (ptrdiff_t)tile * s->channels + c;
            for (int j = 0; j < 6; j++) vec_store(to + j * s->position_step, out[j]);
        }
    }
}

static void input(const struct winograd_strip *s) {
    for (int c = 0; c < s->channels; c += LANES) {
        if (s->masked) {
            transform(s, c, 6, true, input_1d);
        } else {
            transform(s, c, 6, false, input_1d);
        }
    }
}

static void gradient(const struct winograd_strip *s) {
    for (int c = 0; c < s->channels; c += LANES) {
        if (s->masked) {
            transform(s, c, 4, true, gradient_1d);
        } else {
            transform(s, c, 4, false, gradient_1d);
        }
    }
}

static void output(const struct winograd_strip *s) {
    for (int c = 0; c < s->channels; c += LANES) {
        vec bias = s->bias ? vec_load(s->bias + c) : vec_all(0);
        for (int tile = 0; tile < s->n_tiles; tile++) {
            const float *from = s->space + (ptrdiff_t)tile * s->channels + c;
            vec half[6][4];
            for (int j = 0; j < 6; j++) {
                vec in[6];
                for (int i = 0; i < 6; i++) in[i] = vec_load(from + (6 * i + j) * s->position_step);
                output_1d(in, half[j]);
            }
            int first = WINOGRAD_OUT * tile, count = s->width - first;
            for (int i = 0; i < WINOGRAD_OUT && s->out[i]; i++) {
                vec in[6], out[4];
                for (int j = 0; j < 6; j++) in[j] = half[j][i];
                output_1d(in, out);
                float *to = s->out[i] + (ptrdiff_t)first * s->channels + c;
                for (int j = 0; j < WINOGRAD_OUT && j < count; j++) {
                    vec y = out[j] + bias;
                    vec_store(to + j * s->channels, s->relu ? vec_max(vec_all(0), y) : y);
                }
            }
        }
    }
}

const struct winograd_kernels LANES_NAME(winograd_kernels) = {input, output, gradient};
