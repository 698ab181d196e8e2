#include "math/conv.h"

#include "base/err.h"
#include "math/conv_direct.h"
#include "math/conv_ref.h"
#include "math/winograd.h"

int conv_out_h(const struct conv_shape *shape) {
    return (shape->in_h + 2 * shape->pad - shape->kernel) / shape->stride + 1;
}

int conv_out_w(const struct conv_shape *shape) {
    return (shape->in_w + 2 * shape->pad - shape->kernel) / shape->stride + 1;
}

double conv_flops(const struct conv_shape *shape) {
    return 2.0 * shape->batch * conv_out_h(shape) * conv_out_w(shape) * shape->out_c *
           shape->kernel * shape->kernel * shape->in_c;
}

static bool plain_sums;

void conv_set_plain(bool plain) {
    plain_sums = plain;
}

#ifdef RL_DOUBLE

// The specification itself: one image after the other, for the gradient checks.
size_t conv_workspace_bytes(const struct conv_shape *shape) {
    (void)shape;
    return 0;
}

static void forward(struct pool *pool, const struct conv_shape *shape,
                    const struct conv_input *input, const real *w, const real *bias, bool relu,
                    real *y, void *workspace) {
    (void)pool, (void)workspace;
    for (int image = 0; image < shape->batch; image++) {
        conv_ref_forward(shape, input, w, bias, relu, image, y);
    }
}

static void backward(struct pool *pool, const struct conv_shape *shape,
                     const struct conv_input *input, const real *y, const real *gy, const real *w,
                     real *gx, real *gw, real *gb, void *workspace) {
    (void)pool, (void)workspace;
    for (int image = 0; gx && image < shape->batch; image++) {
        conv_ref_backward_input(shape, y, gy, w, image, gx);
    }
    if (gw || gb) conv_ref_backward_weight(shape, input, y, gy, gw, gb);
}

#else

size_t conv_workspace_bytes(const struct conv_shape *shape) {
    size_t direct = conv_direct_workspace_bytes(shape);
    size_t winograd = winograd_fits(shape) ? winograd_workspace_bytes(shape) : 0;
    return direct > winograd ? direct : winograd;
}

static void forward(struct pool *pool, const struct conv_shape *shape,
                    const struct conv_input *input, const real *w, const real *bias, bool relu,
                    real *y, void *workspace) {
    if (!input->u8 && !plain_sums && winograd_fits(shape)) {
        winograd_forward(pool, shape, input->x, w, bias, relu, y, workspace);
    } else {
        conv_direct_forward(pool, shape, input, w, bias, relu, y, workspace);
    }
}

static void backward(struct pool *pool, const struct conv_shape *shape,
                     const struct conv_input *input, const real *y, const real *gy, const real *w,
                     real *gx, real *gw, real *gb, void *workspace) {
    if (!input->u8 && !plain_sums && winograd_fits(shape)) {
        winograd_backward(pool, shape, input->x, y, gy, w, gx, gw, gb, workspace);
    } else {
        conv_direct_backward(pool, shape, input, y, gy, w, gx, gw, gb, workspace);
    }
}

#endif

void conv_forward(struct pool *pool, const struct conv_shape *shape, const real *x, const real *w,
                  const real *bias, bool relu, real *y, void *workspace) {
    struct conv_input input = {.x = x};
    forward(pool, shape, &input, w, bias, relu, y, workspace);
}

void conv_forward_u8(struct pool *pool, const struct conv_shape *shape, const uint8_t *x,
                     real scale, real shift, const real *w, const real *bias, bool relu, real *y,
                     void *workspace) {
    struct conv_input input = {.u8 = x, .scale = scale, .shift = shift};
    forward(pool, shape, &input, w, bias, relu, y, workspace);
}

void conv_backward(struct pool *pool, const struct conv_shape *shape, const real *x, const real *y,
                   const real *gy, const real *w, real *gx, real *gw, real *gb, void *workspace) {
    struct conv_input input = {.x = x};
    backward(pool, shape, &input, y, gy, w, gx, gw, gb, workspace);
}

void conv_backward_u8(struct pool *pool, const struct conv_shape *shape, const uint8_t *x,
                      real scale, real shift, const real *y, const real *gy, real *gw, real *gb,
                      void *workspace) {
    struct conv_input input = {.u8 = x, .scale = scale, .shift = shift};
    backward(pool, shape, &input, y, gy, NULL, NULL, gw, gb, workspace);
}

void conv_backward_input(struct pool *pool, const struct conv_shape *shape, const real *gy,
                         const real *w, real *gx, void *workspace) {
    conv_backward(pool, shape, NULL, NULL, gy, w, gx, NULL, NULL, workspace);
}

void conv_backward_weight(struct pool *pool, const struct conv_shape *shape, const real *x,
                          const real *gy, real *gw, real *gb, void *workspace) {
    conv_backward(pool, shape, x, NULL, gy, NULL, NULL, gw, gb, workspace);
}

void conv_backward_weight_u8(struct pool *pool, const struct conv_shape *shape, const uint8_t *x,
                             real scale, real shift, const real *gy, real *gw, real *gb,
                             void *workspace) {
    conv_backward_u8(pool, shape, x, scale, shift, NULL, gy, gw, gb, workspace);
}
