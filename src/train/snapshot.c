#include "train/snapshot.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "math/gemm.h"
#include "math/polar.h"

// A direction whose spread is below this part of the largest one is noise: it is not blown up.
#define STD_FLOOR 0.02
// Weight of the identity against the cross-covariance, for directions that the data do not
// determine.
#define ALIGN_RIDGE 1e-3

void snapshot_init(struct snapshot *snapshot, struct encoder *encoder, double clip) {
    int dim = encoder->out_dim;
    *snapshot = (struct snapshot){.encoder = encoder, .dim = dim, .clip = clip};
    params_clone(&snapshot->params, &encoder->params);
    snapshot->mean = MEM_ARRAY(real, dim);
    snapshot->inverse_std = MEM_ARRAY(real, dim);
    snapshot->rotation = MEM_ARRAY(real, dim * dim);
    snapshot->scratch = MEM_ARRAY(real, SNAPSHOT_BATCH * dim);
    for (int i = 0; i < dim; i++) {
        snapshot->inverse_std[i] = 1;
        snapshot->rotation[i * dim + i] = 1;
    }
}

void snapshot_release(struct snapshot *snapshot) {
    params_release(&snapshot->params);
    mem_free(snapshot->mean);
    mem_free(snapshot->inverse_std);
    mem_free(snapshot->rotation);
    mem_free(snapshot->scratch);
    *snapshot = (struct snapshot){0};
}

void snapshot_copy(struct snapshot *to, const struct snapshot *from) {
    size_t dim = (size_t)from->dim;
    params_copy(&to->params, &from->params);
    memcpy(to->mean, from->mean, dim * sizeof(real));
    memcpy(to->inverse_std, from->inverse_std, dim * sizeof(real));
    memcpy(to->rotation, from->rotation, dim * dim * sizeof(real));
    to->version = from->version;
}

void snapshot_visit(struct snapshot *snapshot, const char *prefix, struct state_visitor *visitor) {
    size_t dim = (size_t)snapshot->dim;
    size_t mark = state_enter(visitor, prefix);
    state_params(visitor, "encoder", &snapshot->params);
    state_bytes(visitor, "mean", snapshot->mean, dim * sizeof(real));
    state_bytes(visitor, "inverse_std", snapshot->inverse_std, dim * sizeof(real));
    state_bytes(visitor, "rotation", snapshot->rotation, dim * dim * sizeof(real));
    state_field(visitor, snapshot, version);
    state_leave(visitor, mark);
}

void snapshot_encode_raw(struct snapshot *snapshot, struct tape *tape, int n, const uint8_t *pixels,
                         real *out) {
    RL_ASSERT(n <= SNAPSHOT_BATCH);
    tape_reset(tape);
    tape_set_recording(tape, false);
    struct encoder_input input = {.n = n, .pixels = pixels};
    struct tensor *z = encoder_forward(snapshot->encoder, tape, &snapshot->params, &input);
    memcpy(out, z->data, z->count * sizeof(real));
}

static void finish_block(const struct snapshot *snapshot, struct pool *pool, int n, real *rows) {
    int dim = snapshot->dim;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < dim; j++) {
            snapshot->scratch[i * dim + j] =
                (rows[i * dim + j] - snapshot->mean[j]) * snapshot->inverse_std[j];
        }
    }
    gemm(pool, false, false, n, dim, dim, 1, snapshot->scratch, dim, snapshot->rotation, dim, 0,
         rows, dim);
    if (snapshot->clip <= 0) return;
    real clip = (real)snapshot->clip;
    for (int i = 0; i < n * dim; i++)
        rows[i] = rows[i] > clip ? clip : rows[i] < -clip ? -clip : rows[i];
}

void snapshot_finish_rows(const struct snapshot *snapshot, struct pool *pool, int64_t n,
                          real *rows) {
    for (int64_t i = 0; i < n; i += SNAPSHOT_BATCH) {
        int block = n - i < SNAPSHOT_BATCH ? (int)(n - i) : SNAPSHOT_BATCH;
        finish_block(snapshot, pool, block, rows + i * snapshot->dim);
    }
}

void snapshot_encode(struct snapshot *snapshot, struct tape *tape, int n, const uint8_t *pixels,
                     real *out) {
    snapshot_encode_raw(snapshot, tape, n, pixels, out);
    snapshot_finish_rows(snapshot, tape_pool(tape), n, out);
}

// Returns the number of rows on all ranks.
static double fit_standard(struct snapshot *snapshot, int64_t n, const real *raw) {
    int dim = snapshot->dim;
    double largest = 0;
    double *std = MEM_ARRAY(double, 3 * dim + 1), *sum = std + dim, *square = sum + dim,
           *total = square + dim;
    *total = (double)n;
    for (int j = 0; j < dim; j++) {
        for (int64_t i = 0; i < n; i++) {
            double x = (double)raw[i * dim + j];
            sum[j] += x;
            square[j] += x * x;
        }
    }
    comm_sum(snapshot->comm, COMM_POLICY, sum, 2 * (size_t)dim + 1);
    for (int j = 0; j < dim; j++) {
        double mean = sum[j] / *total, variance = square[j] / *total - mean * mean;
        snapshot->mean[j] = (real)mean;
        std[j] = variance > 0 ? sqrt(variance) : 0;
        if (std[j] > largest) largest = std[j];
    }
    for (int j = 0; j < dim; j++) {
        double floor = largest * STD_FLOOR + 1e-8;
        snapshot->inverse_std[j] = (real)(1 / (std[j] > floor ? std[j] : floor));
    }
    double all = *total;
    mem_free(std);
    return all;
}

// cross = new' old / n of the standardised rows, plus a little of the identity.
static void cross_covariance(const struct snapshot *snapshot, int64_t n, double total,
                             const real *raw, const float *old, double *cross) {
    int dim = snapshot->dim;
    memset(cross, 0, (size_t)dim * dim * sizeof *cross);
    for (int64_t i = 0; i < n; i++) {
        for (int j = 0; j < dim; j++) {
            double x = (double)((raw[i * dim + j] - snapshot->mean[j]) * snapshot->inverse_std[j]);
            for (int k = 0; k < dim; k++)
                cross[j * dim + k] += x * (double)old[i * dim + k] / total;
        }
    }
    comm_sum(snapshot->comm, COMM_POLICY, cross, (size_t)dim * (size_t)dim);
    for (int j = 0; j < dim; j++) cross[j * dim + j] += ALIGN_RIDGE;
}

// Correlation of new R with old over all entries: tr(R' cross) / (|new| |old|).
static double alignment(const struct snapshot *snapshot, int64_t n, double total, const real *raw,
                        const float *old, const double *cross, const double *rotation) {
    int dim = snapshot->dim;
    double dot = 0, squares[2] = {0, 0};
    for (int i = 0; i < dim * dim; i++) dot += cross[i] * rotation[i];
    for (int64_t i = 0; i < n * dim; i++) {
        int j = (int)(i % dim);
        double x = (double)((raw[i] - snapshot->mean[j]) * snapshot->inverse_std[j]);
        squares[0] += x * x / total;
        squares[1] += (double)old[i] * (double)old[i] / total;
    }
    comm_sum(snapshot->comm, COMM_POLICY, squares, 2);
    double scale = sqrt(squares[0] * squares[1]);
    return scale > 0 ? dot / scale : 0;
}

double snapshot_fit(struct snapshot *snapshot, int64_t n, const real *raw, const float *old) {
    int dim = snapshot->dim;
    double total = fit_standard(snapshot, n, raw);
    double *work = MEM_ARRAY(double, 4 * (size_t)dim * dim), *cross = work,
           *rotation = work + dim * dim;
    double correlation = 1;
    if (old) {
        cross_covariance(snapshot, n, total, raw, old, cross);
        polar_factor(dim, cross, rotation, work + 2 * dim * dim);
        correlation = alignment(snapshot, n, total, raw, old, cross, rotation);
    } else {
        for (int i = 0; i < dim; i++) rotation[i * dim + i] = 1;
    }
    for (int i = 0; i < dim * dim; i++) snapshot->rotation[i] = (real)rotation[i];
    mem_free(work);
    return correlation;
}
