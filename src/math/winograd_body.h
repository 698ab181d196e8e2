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

// Down the columns of the whole strip, which neighbouring tiles share: n_in rows come in, 6 go to
// scratch.
INLINE void columns_in(const struct winograd_strip *s, int n_in, bool masked,
                       void (*one)(const vec *in, vec *out)) {
    int columns = WINOGRAD_OUT * s->n_tiles + n_in - WINOGRAD_OUT;
    ptrdiff_t channels = s->channels, row = columns * channels;
    const float *rows[6], *masks[6]; // no store through a vector can change locals
    for (int i = 0; i < n_in; i++) rows[i] = s->row[i], masks[i] = s->mask[i];
    for (int x = 0; x < columns; x++) {
        int column = x - s->pad;
        bool inside = column >= 0 && column < s->width;
        float *to = s->scratch + x * channels;
        for (ptrdiff_t c = 0, at = column * channels; c < channels; c += LANES, at += LANES) {
            vec in[6], out[6];
            for (int i = 0; i < n_in; i++) {
                in[i] = vec_all(0);
                if (!inside || !rows[i]) continue;
                in[i] = vec_load(rows[i] + at);
                if (masked) in[i] = vec_positive(in[i], vec_load(masks[i] + at));
            }
            one(in, out);
            for (int i = 0; i < 6; i++) vec_store(to + i * row + c, out[i]);
            if (n_in == 4 && s->sum) {
                vec sum = (in[0] + in[1]) + (in[2] + in[3]);
                vec_store(s->sum + c, vec_load(s->sum + c) + sum);
            }
        }
    }
}

// Along row i of scratch: n_in columns of each tile come in, 6 positions go to space.
INLINE void row_in(const struct winograd_strip *s, int i, int n_in,
                   void (*one)(const vec *in, vec *out)) {
    ptrdiff_t channels = s->channels;
    const float *from =
        s->scratch + i * (WINOGRAD_OUT * s->n_tiles + n_in - WINOGRAD_OUT) * channels;
    float *to = s->space;
    for (int tile = 0; tile < s->n_tiles; tile++) {
        for (ptrdiff_t c = 0; c < channels; c += LANES) {
            vec in[6], out[6];
            for (int j = 0; j < n_in; j++) in[j] = vec_load(from + j * channels + c);
            one(in, out);
            for (int j = 0; j < 6; j++) vec_store(to + j * channels + c, out[j]);
        }
        from += WINOGRAD_OUT * channels;
        to += 6 * channels;
    }
}

static void input_columns(const struct winograd_strip *s) {
    if (s->masked) {
        columns_in(s, 6, true, input_1d);
    } else {
        columns_in(s, 6, false, input_1d);
    }
}

static void input_row(const struct winograd_strip *s, int i) {
    row_in(s, i, 6, input_1d);
}

static void gradient_columns(const struct winograd_strip *s) {
    if (s->masked) {
        columns_in(s, 4, true, gradient_1d);
    } else {
        columns_in(s, 4, false, gradient_1d);
    }
}

static void gradient_row(const struct winograd_strip *s, int i) {
    row_in(s, i, 4, gradient_1d);
}

static void output_row(const struct winograd_strip *s, int i) {
    ptrdiff_t channels = s->channels;
    const float *from = s->space;
    float *to = s->scratch + i * WINOGRAD_OUT * channels;
    for (int tile = 0; tile < s->n_tiles; tile++) {
        for (ptrdiff_t c = 0; c < channels; c += LANES) {
            vec in[6], out[4];
            for (int j = 0; j < 6; j++) in[j] = vec_load(from + j * channels + c);
            output_1d(in, out);
            for (int j = 0; j < 4; j++) vec_store(to + j * channels + c, out[j]);
        }
        from += 6 * channels;
        to += 6 * WINOGRAD_OUT * channels;
    }
}

static void output_columns(const struct winograd_strip *s) {
    ptrdiff_t channels = s->channels;
    float *rows[4];
    for (int i = 0; i < 4; i++) rows[i] = s->out[i];
    const float *from = s->scratch;
    int columns = s->width < WINOGRAD_OUT * s->n_tiles ? s->width : WINOGRAD_OUT * s->n_tiles;
    for (int x = 0; x < columns; x++) {
        for (ptrdiff_t c = 0, at = x * channels; c < channels; c += LANES, at += LANES) {
            const float *column = from + x / 4 * 24 * channels + x % 4 * channels + c;
            vec in[6], out[4], bias = s->bias ? vec_load(s->bias + c) : vec_all(0);
            for (int i = 0; i < 6; i++) in[i] = vec_load(column + i * WINOGRAD_OUT * channels);
            output_1d(in, out);
            for (int i = 0; i < WINOGRAD_OUT && rows[i]; i++) {
                vec y = out[i] + bias;
                vec_store(rows[i] + at, s->relu ? vec_max(vec_all(0), y) : y);
            }
        }
    }
}

const struct winograd_kernels LANES_NAME(winograd_kernels) = {
    input_columns, input_row, output_row, output_columns, gradient_columns, gradient_row,
};
