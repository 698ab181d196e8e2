#include "math/conv_ref.h"

// Visits every (output pixel, kernel tap) whose input pixel lies inside the picture. The loop
// variables have the names of the formula y[oy, ox] = sum over ky, kx of x[oy * stride + ky - pad,
// ...] w[ky, kx].
struct tap {
    size_t in, out, weight; // first element of the pixel's channels, of the weights (ky, kx, 0, 0)
};

typedef void (*tap_fn)(const struct tap *tap, void *context);

static void each_tap(const struct conv_shape *s, int image, tap_fn visit, void *context) {
    int out_h = conv_out_h(s), out_w = conv_out_w(s);
    for (int oy = 0; oy < out_h; oy++) {
        for (int ox = 0; ox < out_w; ox++) {
            for (int ky = 0; ky < s->kernel; ky++) {
                for (int kx = 0; kx < s->kernel; kx++) {
                    int iy = oy * s->stride + ky - s->pad, ix = ox * s->stride + kx - s->pad;
                    if (iy < 0 || ix < 0 || iy >= s->in_h || ix >= s->in_w) continue;
                    struct tap tap = {
                        .in = (((size_t)image * s->in_h + iy) * s->in_w + ix) * s->in_c,
                        .out = (((size_t)image * out_h + oy) * out_w + ox) * s->out_c,
                        .weight = ((size_t)ky * s->kernel + kx) * s->in_c * s->out_c,
                    };
                    visit(&tap, context);
                }
            }
        }
    }
}

struct operands {
    const struct conv_shape *shape;
    const struct conv_input *input;
    const real *w, *out, *gy; // out: NULL, or the output whose ReLU the gradient passes
    real *y, *gx, *gw;
};

static real input_at(const struct conv_input *input, size_t i) {
    return input->u8 ? (real)input->u8[i] * input->scale + input->shift : input->x[i];
}

static real gradient_at(const struct operands *o, size_t i) {
    return !o->out || o->out[i] > 0 ? o->gy[i] : 0;
}

static void add_forward(const struct tap *tap, void *context) {
    const struct operands *o = context;
    for (int i = 0; i < o->shape->in_c; i++) {
        real x = input_at(o->input, tap->in + i);
        const real *w = o->w + tap->weight + (size_t)i * o->shape->out_c;
        for (int j = 0; j < o->shape->out_c; j++) o->y[tap->out + j] += x * w[j];
    }
}

void conv_ref_forward(const struct conv_shape *shape, const struct conv_input *input, const real *w,
                      const real *bias, bool relu, int image, real *y) {
    size_t count = (size_t)conv_out_h(shape) * conv_out_w(shape) * shape->out_c;
    real *own = y + image * count;
    for (size_t i = 0; i < count; i++) own[i] = bias ? bias[i % shape->out_c] : 0;
    struct operands operands = {.shape = shape, .input = input, .w = w, .y = y};
    each_tap(shape, image, add_forward, &operands);
    for (size_t i = 0; relu && i < count; i++) own[i] = own[i] < 0 ? 0 : own[i];
}

static void add_backward_input(const struct tap *tap, void *context) {
    const struct operands *o = context;
    for (int i = 0; i < o->shape->in_c; i++) {
        const real *w = o->w + tap->weight + (size_t)i * o->shape->out_c;
        real sum = 0;
        for (int j = 0; j < o->shape->out_c; j++) sum += gradient_at(o, tap->out + j) * w[j];
        o->gx[tap->in + i] += sum;
    }
}

void conv_ref_backward_input(const struct conv_shape *shape, const real *y, const real *gy,
                             const real *w, int image, real *gx) {
    size_t count = (size_t)shape->in_h * shape->in_w * shape->in_c;
    for (size_t i = 0; i < count; i++) gx[image * count + i] = 0;
    struct operands operands = {.shape = shape, .w = w, .out = y, .gy = gy, .gx = gx};
    each_tap(shape, image, add_backward_input, &operands);
}

static void add_backward_weight(const struct tap *tap, void *context) {
    const struct operands *o = context;
    for (int i = 0; i < o->shape->in_c; i++) {
        real x = input_at(o->input, tap->in + i);
        real *gw = o->gw + tap->weight + (size_t)i * o->shape->out_c;
        for (int j = 0; j < o->shape->out_c; j++) gw[j] += x * gradient_at(o, tap->out + j);
    }
}

void conv_ref_backward_weight(const struct conv_shape *shape, const struct conv_input *input,
                              const real *y, const real *gy, real *gw, real *gb) {
    struct operands operands = {.shape = shape, .input = input, .out = y, .gy = gy, .gw = gw};
    for (int image = 0; gw && image < shape->batch; image++) {
        each_tap(shape, image, add_backward_weight, &operands);
    }
    size_t pixels = (size_t)shape->batch * conv_out_h(shape) * conv_out_w(shape);
    for (size_t i = 0; gb && i < pixels * shape->out_c; i++) {
        gb[i % shape->out_c] += gradient_at(&operands, i);
    }
}
