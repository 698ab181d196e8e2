#include "math/conv_ref.h"

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

size_t conv_workspace_bytes(const struct conv_shape *shape) {
    (void)shape;
    return 0;
}

struct job {
    const struct conv_shape *shape;
    const struct conv_input *input;
    const real *w, *bias, *gy;
    real *y, *gx;
    bool relu;
};

static void forward_image(void *context, int image) {
    const struct job *job = context;
    conv_ref_forward(job->shape, job->input, job->w, job->bias, job->relu, image, job->y);
}

static void backward_input_image(void *context, int image) {
    const struct job *job = context;
    conv_ref_backward_input(job->shape, job->gy, job->w, image, job->gx);
}

void conv_forward(struct pool *pool, const struct conv_shape *shape, const real *x, const real *w,
                  const real *bias, bool relu, real *y, void *workspace) {
    (void)workspace;
    struct conv_input input = {.x = x};
    struct job job = {.shape = shape, .input = &input, .w = w, .bias = bias, .relu = relu, .y = y};
    pool_run(pool, shape->batch, forward_image, &job);
}

void conv_forward_u8(struct pool *pool, const struct conv_shape *shape, const uint8_t *x,
                     real scale, real shift, const real *w, const real *bias, bool relu, real *y,
                     void *workspace) {
    (void)workspace;
    struct conv_input input = {.u8 = x, .scale = scale, .shift = shift};
    struct job job = {.shape = shape, .input = &input, .w = w, .bias = bias, .relu = relu, .y = y};
    pool_run(pool, shape->batch, forward_image, &job);
}

void conv_backward_input(struct pool *pool, const struct conv_shape *shape, const real *gy,
                         const real *w, real *gx, void *workspace) {
    (void)workspace;
    struct job job = {.shape = shape, .w = w, .gy = gy, .gx = gx};
    pool_run(pool, shape->batch, backward_input_image, &job);
}

void conv_backward_weight(struct pool *pool, const struct conv_shape *shape, const real *x,
                          const real *gy, real *gw, real *gb, void *workspace) {
    (void)pool, (void)workspace;
    struct conv_input input = {.x = x};
    conv_ref_backward_weight(shape, &input, gy, gw, gb);
}

void conv_backward_weight_u8(struct pool *pool, const struct conv_shape *shape, const uint8_t *x,
                             real scale, real shift, const real *gy, real *gw, real *gb,
                             void *workspace) {
    (void)pool, (void)workspace;
    struct conv_input input = {.u8 = x, .scale = scale, .shift = shift};
    conv_ref_backward_weight(shape, &input, gy, gw, gb);
}
