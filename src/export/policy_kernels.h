/* The arithmetic of an exported policy, in plain C99: no library, no allocation. `rlrun export --c`
 * copies this text into the header that it writes, and rlrun itself computes with it (graph_run.c),
 * so that both give the same bits wherever float is IEEE single precision without excess precision
 * and products are not fused with sums (gcc -std=c99, or -ffp-contract=off; clang is told here).
 * The order of every sum is fixed: terms are added one after the other in the order of memory, in
 * portions (64 inputs of a linear layer; one row of a convolution's window) that start at 0 and are
 * added to the bias in turn. */
#ifndef RLRUN_POLICY_KERNELS
#define RLRUN_POLICY_KERNELS

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define RLK_BLOCK 8 /* outputs that are summed side by side, in registers */
#define RLK_PORTION                                                                                \
    64 /* inputs of a linear layer whose products are summed before they join the rest */

static inline float rlk_power_of_2(int n) /* -126 <= n <= 127 */
{
    union {
        unsigned bits;
        float value;
    } u;
    u.bits = (unsigned)(n + 127) << 23;
    return u.value;
}

/* e^x = 2^n e^r, |r| <= ln 2 / 2, by Taylor's series of e^r to the seventh power. */
static inline float rlk_exp(float x) {
    int n;
    float r, sum;
    if (x < -87.0f) return 0.0f;
    if (x > 88.0f) x = 88.0f;
    n = (int)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    r = x - (float)n * 0.693359375f;
    r = r - (float)n * -2.12194440e-4f;
    sum = 1.0f / 5040.0f;
    sum = sum * r + 1.0f / 720.0f;
    sum = sum * r + 1.0f / 120.0f;
    sum = sum * r + 1.0f / 24.0f;
    sum = sum * r + 1.0f / 6.0f;
    sum = sum * r + 0.5f;
    sum = sum * r + 1.0f;
    sum = sum * r + 1.0f;
    return sum * rlk_power_of_2(n);
}

/* 1 / sqrt(x) for x > 0: Newton's iteration from the halved exponent. */
static inline float rlk_inverse_sqrt(float x) {
    union {
        unsigned bits;
        float value;
    } u;
    int i;
    u.value = x;
    u.bits = 0x5f3759dfu - (u.bits >> 1);
    for (i = 0; i < 4; i++) u.value = u.value * (1.5f - 0.5f * x * u.value * u.value);
    return u.value;
}

/* erf by Abramowitz and Stegun 7.1.26, to 1.5e-7. */
static inline float rlk_erf(float x) {
    float a = x < 0.0f ? -x : x, t = 1.0f / (1.0f + 0.3275911f * a), sum = 1.061405429f;
    sum = sum * t - 1.453152027f;
    sum = sum * t + 1.421413741f;
    sum = sum * t - 0.284496736f;
    sum = sum * t + 0.254829592f;
    sum = 1.0f - sum * t * rlk_exp(-a * a);
    return x < 0.0f ? -sum : sum;
}

static inline void rlk_tanh(int n, const float *x, float *y) {
    int i;
    for (i = 0; i < n; i++) {
        float a = x[i] < 0.0f ? -x[i] : x[i], t;
        if (a > 10.0f) a = 10.0f;
        t = 1.0f - 2.0f / (rlk_exp(2.0f * a) + 1.0f);
        y[i] = x[i] < 0.0f ? -t : t;
    }
}

static inline void rlk_relu(int n, const float *x, float *y) {
    int i;
    for (i = 0; i < n; i++) y[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

static inline void rlk_gelu(int n, const float *x, float *y) {
    int i;
    for (i = 0; i < n; i++) y[i] = 0.5f * x[i] * (1.0f + rlk_erf(x[i] * 0.70710678f));
}

static inline void rlk_pixels(int n, const unsigned char *x, float scale, float shift, float *y) {
    int i;
    for (i = 0; i < n; i++) y[i] = (float)x[i] * scale + shift;
}

static inline void rlk_copy(int n, const float *x, float *y) {
    int i;
    for (i = 0; i < n; i++) y[i] = x[i];
}

/* y = x (n), then what it was in the steps before (count numbers, newest first), which x then
 * joins. In an episode's first step x stands for those too. */
static inline void rlk_recall(int n, int count, int first, const float *x, float *past, float *y) {
    int i;
    for (i = 0; i < n; i++) y[i] = x[i];
    for (i = 0; i < count; i++) y[n + i] = first ? x[i % n] : past[i];
    for (i = 0; i < count; i++) past[i] = y[i];
}

/* b repeats every `period` numbers. */
static inline void rlk_add(int n, const float *a, const float *b, int period, float *y) {
    int i, j = 0;
    for (i = 0; i < n; i++) {
        y[i] = a[i] + b[j];
        if (++j == period) j = 0;
    }
}

static inline void rlk_normalise(int n, const float *x, const float *mean, const float *inverse_std,
                                 float *y) {
    int i;
    for (i = 0; i < n; i++) y[i] = (x[i] - mean[i]) * inverse_std[i];
}

static inline void rlk_clip(int n, const float *x, float limit, float *y) {
    int i;
    for (i = 0; i < n; i++) y[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
}

/* One portion of count <= RLK_BLOCK sums: part[k] = x[0] w[k] + x[1] w[stride + k] + ..., added to
 * sum[k]. */
static inline void rlk_add_portion(int terms, const float *x, const float *weight, int stride,
                                   int count, float *sum) {
    float part[RLK_BLOCK] = {0.0f};
    int i, k;
    if (count == RLK_BLOCK) {
        for (i = 0; i < terms; i++) {
            float value = x[i];
            const float *w = weight + (long)i * stride;
            for (k = 0; k < RLK_BLOCK; k++) part[k] += value * w[k];
        }
    } else {
        for (i = 0; i < terms; i++) {
            for (k = 0; k < count; k++) part[k] += x[i] * weight[(long)i * stride + k];
        }
    }
    for (k = 0; k < count; k++) sum[k] += part[k];
}

static inline void rlk_finish(int count, const float *sum, int relu, float *y) {
    int k;
    for (k = 0; k < count; k++) y[k] = relu && !(sum[k] > 0.0f) ? 0.0f : sum[k];
}

/* x (rows, in), weight (in, out), bias (out) or 0, y (rows, out) */
static inline void rlk_linear(int rows, int in, int out, int relu, const float *x,
                              const float *weight, const float *bias, float *y) {
    int row, k;
    for (row = 0; row < rows; row++) {
        int o;
        for (o = 0; o < out; o += RLK_BLOCK) {
            float sum[RLK_BLOCK];
            int count = out - o < RLK_BLOCK ? out - o : RLK_BLOCK, i;
            for (k = 0; k < count; k++) sum[k] = bias ? bias[o + k] : 0.0f;
            for (i = 0; i < in; i += RLK_PORTION) {
                int terms = in - i < RLK_PORTION ? in - i : RLK_PORTION;
                rlk_add_portion(terms, x + (long)row * in + i, weight + (long)i * out + o, out,
                                count, sum);
            }
            rlk_finish(count, sum, relu, y + (long)row * out + o);
        }
    }
}

/* x (in_h, in_w, in_c), weight (kernel, kernel, in_c, out_c), bias (out_c) or 0; zero padding */
static inline void rlk_conv(int in_h, int in_w, int in_c, int out_c, int kernel, int stride,
                            int pad, int relu, const float *x, const float *weight,
                            const float *bias, float *y) {
    int out_h = (in_h + 2 * pad - kernel) / stride + 1,
        out_w = (in_w + 2 * pad - kernel) / stride + 1;
    int row, column, o, k;
    for (row = 0; row < out_h; row++) {
        for (column = 0; column < out_w; column++) {
            int top = row * stride - pad, left = column * stride - pad, from = left < 0 ? -left : 0;
            int to = in_w - left < kernel ? in_w - left : kernel; /* taps [from, to) are inside */
            for (o = 0; o < out_c; o += RLK_BLOCK) {
                float sum[RLK_BLOCK];
                int count = out_c - o < RLK_BLOCK ? out_c - o : RLK_BLOCK, i;
                for (k = 0; k < count; k++) sum[k] = bias ? bias[o + k] : 0.0f;
                for (i = 0; i < kernel; i++) {
                    const float *line = x + ((long)(top + i) * in_w + left + from) * in_c;
                    const float *w = weight + (long)(i * kernel + from) * in_c * out_c + o;
                    if (top + i < 0 || top + i >= in_h) continue;
                    rlk_add_portion((to - from) * in_c, line, w, out_c, count, sum);
                }
                rlk_finish(count, sum, relu, y + ((long)row * out_w + column) * out_c + o);
            }
        }
    }
}

static inline void rlk_layer_norm(int rows, int width, const float *weight, const float *bias,
                                  float eps, const float *x, float *y) {
    int row, i;
    for (row = 0; row < rows; row++, x += width, y += width) {
        float mean = 0.0f, square = 0.0f, inverse;
        for (i = 0; i < width; i++) mean += x[i];
        mean = mean / (float)width;
        for (i = 0; i < width; i++) square += (x[i] - mean) * (x[i] - mean);
        inverse = rlk_inverse_sqrt(square / (float)width + eps);
        for (i = 0; i < width; i++)
            y[i] = (x[i] - mean) * inverse * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
    }
}

/* Spots outside of x (h, w, c) do not count. */
static inline void rlk_max_pool(int h, int w, int c, int kernel, int stride, int pad,
                                const float *x, float *y) {
    int out_h = (h + 2 * pad - kernel) / stride + 1, out_w = (w + 2 * pad - kernel) / stride + 1;
    int row, column, i, j, k;
    for (row = 0; row < out_h; row++) {
        for (column = 0; column < out_w; column++, y += c) {
            int found = 0;
            for (i = row * stride - pad; i < row * stride - pad + kernel; i++) {
                for (j = column * stride - pad; j < column * stride - pad + kernel; j++) {
                    const float *at = x + ((long)i * w + j) * c;
                    if (i < 0 || i >= h || j < 0 || j >= w) continue;
                    for (k = 0; k < c; k++) y[k] = !found || at[k] > y[k] ? at[k] : y[k];
                    found = 1;
                }
            }
        }
    }
}

static inline void rlk_mean_pool(int spots, int c, const float *x, float *y) {
    int i, k;
    for (k = 0; k < c; k++) y[k] = 0.0f;
    for (i = 0; i < spots; i++) {
        for (k = 0; k < c; k++) y[k] += x[(long)i * c + k];
    }
    for (k = 0; k < c; k++) y[k] = y[k] / (float)spots;
}

/* qkv (tokens, 3, heads, size), y (tokens, heads, size): softmax(q k' / sqrt(size)) v; score
 * (tokens) */
static inline void rlk_attention(int tokens, int heads, int size, const float *qkv, float *score,
                                 float *y) {
    float scale = rlk_inverse_sqrt((float)size);
    long stride = 3L * heads * size;
    int head, t, s, i;
    for (head = 0; head < heads; head++) {
        for (t = 0; t < tokens; t++) {
            const float *q = qkv + t * stride + (long)head * size;
            float *out = y + ((long)t * heads + head) * size, largest, total = 0.0f;
            for (s = 0; s < tokens; s++) {
                const float *k = qkv + s * stride + ((long)heads + head) * size;
                score[s] = 0.0f;
                for (i = 0; i < size; i++) score[s] += q[i] * k[i];
                score[s] = score[s] * scale;
            }
            largest = score[0];
            for (s = 1; s < tokens; s++) largest = score[s] > largest ? score[s] : largest;
            for (s = 0; s < tokens; s++) {
                score[s] = rlk_exp(score[s] - largest);
                total += score[s];
            }
            for (i = 0; i < size; i++) out[i] = 0.0f;
            for (s = 0; s < tokens; s++) {
                const float *v = qkv + s * stride + (2L * heads + head) * size;
                for (i = 0; i < size; i++) out[i] += score[s] / total * v[i];
            }
        }
    }
}
#endif
