#include <math.h>

#include "render/soft_setup.h"

static double dot3(const double *a, const double *b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void cross3(double *out, const double *a, const double *b) {
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

// --- bounds in pixels ---

struct soft_bounds soft_bounds_none(void) {
    return (struct soft_bounds){1e30, -1e30, 1e30, -1e30};
}

void soft_bounds_all(struct soft_bounds *bounds) {
    *bounds = (struct soft_bounds){-1e30, 1e30, -1e30, 1e30};
}

// Range of the tangent s = x / z over the ellipsoid with centre c and shape matrix S: the roots of
// s^2 (cz^2 - Szz) - 2 s (cx cz - Sxz) + cx^2 - Sxx = 0. False when it reaches the eye's plane.
static bool tangent_range(double c, double cz, double s_cc, double s_cz, double s_zz,
                          double out[2]) {
    double a = cz * cz - s_zz, b = c * cz - s_cz, d = c * c - s_cc;
    if (!(a > 1e-12 * cz * cz)) return false;
    double root = sqrt(fmax(b * b - a * d, 0.0));
    out[0] = (b - root) / a;
    out[1] = (b + root) / a;
    return true;
}

bool soft_bounds_ellipsoid(struct soft_bounds *bounds, const struct soft_view *view,
                           const double center[3], double axis[3][3]) {
    double relative[3], c[3], m[3][3];
    for (int k = 0; k < 3; k++) relative[k] = center[k] - view->eye[k];
    for (int j = 0; j < 3; j++) {
        c[j] = dot3(&view->axis[3 * j], relative);
        for (int k = 0; k < 3; k++) m[j][k] = dot3(&view->axis[3 * j], axis[k]);
    }
    double zz = dot3(m[2], m[2]);
    if (view->orthographic) {
        double x = sqrt(dot3(m[0], m[0])), y = sqrt(dot3(m[1], m[1]));
        bounds->x0 = fmin(bounds->x0, c[0] - x), bounds->x1 = fmax(bounds->x1, c[0] + x);
        bounds->y0 = fmin(bounds->y0, c[1] - y), bounds->y1 = fmax(bounds->y1, c[1] + y);
        return true;
    }
    if (c[2] + sqrt(zz) <= 0) return false; // behind the eye
    double x[2], y[2];
    if (c[2] <= 0 || !tangent_range(c[0], c[2], dot3(m[0], m[0]), dot3(m[0], m[2]), zz, x) ||
        !tangent_range(c[1], c[2], dot3(m[1], m[1]), dot3(m[1], m[2]), zz, y)) {
        soft_bounds_all(bounds);
        return true;
    }
    bounds->x0 = fmin(bounds->x0, x[0]);
    bounds->x1 = fmax(bounds->x1, x[1]);
    bounds->y0 = fmin(bounds->y0, y[0]);
    bounds->y1 = fmax(bounds->y1, y[1]);
    return true;
}

void soft_bounds_corners(struct soft_bounds *bounds, const struct soft_view *view, int count,
                         double corner[][3]) {
    int behind = 0;
    for (int i = 0; i < count; i++) {
        double relative[3], c[3];
        for (int k = 0; k < 3; k++) relative[k] = corner[i][k] - view->eye[k];
        for (int j = 0; j < 3; j++) c[j] = dot3(&view->axis[3 * j], relative);
        if (view->orthographic) c[2] = 1;
        if (c[2] <= 1e-9) {
            behind++;
            continue;
        }
        bounds->x0 = fmin(bounds->x0, c[0] / c[2]);
        bounds->x1 = fmax(bounds->x1, c[0] / c[2]);
        bounds->y0 = fmin(bounds->y0, c[1] / c[2]);
        bounds->y1 = fmax(bounds->y1, c[1] / c[2]);
    }
    if (behind == count)
        *bounds = soft_bounds_none();
    else if (behind)
        soft_bounds_all(bounds);
}

static int clamp_pixel(double x, int size) {
    return !(x > 0) ? 0 : x > size ? size : (int)x;
}

bool soft_bounds_pixels(const struct soft_bounds *bounds, const struct soft_view *view,
                        int pixels[4]) {
    double x0 = (bounds->x0 - view->tan0[0]) / view->tan_pixel[0] - 1;
    double x1 = (bounds->x1 - view->tan0[0]) / view->tan_pixel[0] + 1;
    double y0 = (bounds->y0 - view->tan0[1]) / view->tan_pixel[1] - 1;
    double y1 = (bounds->y1 - view->tan0[1]) / view->tan_pixel[1] + 1;
    pixels[0] = clamp_pixel(floor(x0), view->width);
    pixels[1] = clamp_pixel(ceil(x1), view->width);
    pixels[2] = clamp_pixel(floor(y0), view->height);
    pixels[3] = clamp_pixel(ceil(y1), view->height);
    return pixels[0] < pixels[1] && pixels[2] < pixels[3];
}

// Pixels whose samples (0.125 .. 0.875 inside a pixel) can lie within the bounds and a margin;
// false when none.
bool soft_bounds_samples(const struct soft_bounds *bounds, const struct soft_view *view,
                         double margin, int pixels[4]) {
    double first = 0.875 + margin, last = 0.125 - margin;
    double x0 = (bounds->x0 - view->tan0[0]) / view->tan_pixel[0] - first;
    double x1 = (bounds->x1 - view->tan0[0]) / view->tan_pixel[0] - last;
    double y0 = (bounds->y0 - view->tan0[1]) / view->tan_pixel[1] - first;
    double y1 = (bounds->y1 - view->tan0[1]) / view->tan_pixel[1] - last;
    pixels[0] = clamp_pixel(ceil(x0), view->width);
    pixels[1] = clamp_pixel(floor(x1) + 1, view->width);
    pixels[2] = clamp_pixel(ceil(y0), view->height);
    pixels[3] = clamp_pixel(floor(y1) + 1, view->height);
    return pixels[0] < pixels[1] && pixels[2] < pixels[3];
}

static bool part_pixels(struct soft_part *part, const struct soft_view *view,
                        const struct soft_bounds *bounds) {
    int pixels[4];
    bool any = soft_bounds_samples(bounds, view, 0.001, pixels);
    part->x0 = pixels[0], part->x1 = pixels[1];
    part->y0 = pixels[2], part->y1 = pixels[3];
    part->cx = (float)((part->x0 + part->x1) / 2);
    part->cy = (float)((part->y0 + part->y1) / 2);
    return any;
}

// --- rays in a unit frame ---

void soft_ray_setup(const struct soft_view *view, const double center[3], double axis[3][3],
                    double cx, double cy, struct soft_ray *ray) {
    for (int k = 0; k < 3; k++) {
        // axis[k] is scaled: its length is the half size along it; unit = axis . x / |axis|^2
        double length2 = dot3(axis[k], axis[k]), origin[3], at[3];
        for (int i = 0; i < 3; i++) {
            double eye = view->eye[i] - center[i], forward = view->axis[6 + i];
            at[i] = view->d0[i] + cx * view->dx[i] + cy * view->dy[i];
            origin[i] = view->orthographic ? -forward : eye;
            if (view->orthographic) at[i] += eye + view->far * forward;
        }
        ray->orthographic = view->orthographic;
        ray->origin[k] = dot3(axis[k], origin) / length2;
        ray->d[0][k] = dot3(axis[k], at) / length2;
        ray->d[1][k] = dot3(axis[k], view->dx) / length2;
        ray->d[2][k] = dot3(axis[k], view->dy) / length2;
    }
}

// Unit sphere (dimensions 3) or unit cylinder (2) around the ray's frame shifted by z. With origin
// o and ray d, w is a root of (oo - 1) w^2 + 2 od w + dd = 0; orthographic: of oo w^2 + 2 od w + dd
// - 1.
static void quadric_setup(struct soft_quadric *quadric, const struct soft_ray *ray, int dimensions,
                          double z) {
    bool flat = ray->orthographic;
    double o[3], d[3][3], n[3][3];
    for (int k = 0; k < 3; k++) {
        o[k] = k < dimensions ? ray->origin[k] : 0.0;
        for (int i = 0; i < 3; i++) d[i][k] = k < dimensions ? ray->d[i][k] : 0.0;
    }
    if (dimensions == 3) *(flat ? &d[0][2] : &o[2]) -= z;
    for (int i = 0; i < 3; i++) cross3(n[i], o, d[i]);
    static const struct { int i, j; } term[6] = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}, {2, 2}};
    for (int k = 0; k < 6; k++) {
        int i = term[k].i, j = term[k].j;
        double first = !flat ? dot3(d[i], d[j]) : k == 0 ? dot3(o, o) : 0;
        quadric->q[k] = (float)((i == j ? 1 : 2) * (first - dot3(n[i], n[j])));
    }
    quadric->b =
        (struct soft_affine){(float)dot3(o, d[0]), (float)dot3(o, d[1]), (float)dot3(o, d[2])};
    double c = dot3(o, o) - (flat ? 0 : 1);
    quadric->inverse_c = (float)(1 / (fabs(c) > 1e-12 ? c : 1e-12));
}

static void planar_setup(struct soft_part *part, const struct soft_ray *ray) {
    // z = 0 at depth t = -oz / dz, so w = -dz / oz; x w = ox w + dx
    double iz = -1 / ray->origin[2];
    double w[3], x[3], y[3];
    for (int i = 0; i < 3; i++) {
        w[i] = ray->d[i][2] * iz;
        x[i] = ray->origin[0] * w[i] + ray->d[i][0];
        y[i] = ray->origin[1] * w[i] + ray->d[i][1];
    }
    part->w = (struct soft_affine){(float)w[0], (float)w[1], (float)w[2]};
    part->wx = (struct soft_affine){(float)x[0], (float)x[1], (float)x[2]};
    part->wy = (struct soft_affine){(float)y[0], (float)y[1], (float)y[2]};
    for (int i = 0; i < 3; i++) {
        double one = !ray->orthographic ? w[i] : i == 0;
        part->edge[i][0] = (float)(one - x[i]), part->edge[i][1] = (float)(one + x[i]);
        part->edge[i][2] = (float)(one - y[i]), part->edge[i][3] = (float)(one + y[i]);
    }
}

bool soft_part_setup(struct soft_part *part, const struct soft_view *view, const double center[3],
                     double axis[3][3]) {
    struct soft_bounds bounds = soft_bounds_none();
    double half = part->half;
    if (part->kind == SOFT_ELLIPSOID) {
        soft_bounds_ellipsoid(&bounds, view, center, axis);
    } else if (part->kind == SOFT_CAPSULE || part->kind == SOFT_TUBE) {
        double end_axis[3][3];
        for (int k = 0; k < 9; k++) {
            end_axis[k / 3][k % 3] = k < 6 || part->kind == SOFT_CAPSULE ? axis[k / 3][k % 3] : 0.0;
        }
        int in_front = 0;
        for (int sign = -1; sign <= 1; sign += 2) {
            double end[3];
            for (int k = 0; k < 3; k++) end[k] = center[k] + sign * half * axis[2][k];
            in_front += soft_bounds_ellipsoid(&bounds, view, end, end_axis);
        }
        if (in_front == 1) soft_bounds_all(&bounds); // reaches past the eye
    } else {
        double corner[4][3];
        for (int i = 0; i < 4; i++) {
            for (int k = 0; k < 3; k++) {
                corner[i][k] =
                    center[k] + (i & 1 ? 1 : -1) * axis[0][k] + (i & 2 ? 1 : -1) * axis[1][k];
            }
        }
        soft_bounds_corners(&bounds, view, 4, corner);
    }
    if (!part_pixels(part, view, &bounds)) return false;
    struct soft_ray ray;
    soft_ray_setup(view, center, axis, part->cx, part->cy, &ray);
    for (int k = 0; k < 3; k++) {
        double length = sqrt(dot3(axis[k], axis[k])), eye = 0;
        for (int i = 0; i < 3; i++) eye += axis[k][i] * (view->eye[i] - center[i]);
        part->eye[k] = (float)(eye / length);
        part->scale[k] = (float)length;
        part->inverse_scale[k] = (float)(1 / length);
        part->origin[k] = (float)ray.origin[k];
        part->ray[k] =
            (struct soft_affine){(float)ray.d[0][k], (float)ray.d[1][k], (float)ray.d[2][k]};
        for (int i = 0; i < 3; i++) part->axis[3 * k + i] = (float)(axis[k][i] / length);
        part->center[k] = (float)center[k];
    }
    switch ((enum soft_kind)part->kind) {
    case SOFT_ELLIPSOID: quadric_setup(&part->body, &ray, 3, 0); break;
    case SOFT_CAPSULE:
        quadric_setup(&part->cap[0], &ray, 3, -half);
        quadric_setup(&part->cap[1], &ray, 3, half);
        quadric_setup(&part->body, &ray, 2, 0);
        break;
    case SOFT_TUBE: quadric_setup(&part->body, &ray, 2, 0); break;
    case SOFT_DISC:
    case SOFT_RECT:
        if (!(ray.origin[2] > 1e-9)) return false; // seen from behind
        planar_setup(part, &ray);
        break;
    case SOFT_BOX:
    case SOFT_TRIANGLES: break;
    }
    return true;
}
