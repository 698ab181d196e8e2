// A published encoder: weights, the standardisation of its latents, and the rotation that aligns
// them with the version before. What the policy sees of a stack of frames is
//     latent = clip(((encoder(pixels) - mean) / std) R)
// All parts change together at a publish, so that one never shocks the policy (orthogonal
// Procrustes).
#pragma once

#include "encoders/encoder.h"
#include "nn/state.h"
#include "train/comm.h"

struct snapshot {
    struct encoder *encoder; // definition, borrowed
    struct params params;
    int dim;
    real *mean, *inverse_std; // (dim)
    real *rotation;           // (dim, dim), row-major: row vectors are multiplied from the left
    real *scratch;            // (SNAPSHOT_BATCH, dim)
    double clip;              // 0 = none
    int64_t version;          // 0 = nothing published yet
    struct comm *comm;        // ranks whose rows count in a fit too; NULL: none; not copied
};

// Rows are encoded in batches of at most this many.
#define SNAPSHOT_BATCH 64

void snapshot_init(struct snapshot *snapshot, struct encoder *encoder, double clip);
void snapshot_release(struct snapshot *snapshot);
void snapshot_copy(struct snapshot *to, const struct snapshot *from);
void snapshot_visit(struct snapshot *snapshot, const char *prefix, struct state_visitor *visitor);

// Encoder output before standardisation, n <= SNAPSHOT_BATCH rows (n, dim). Resets the tape.
void snapshot_encode_raw(struct snapshot *snapshot, struct tape *tape, int n, const uint8_t *pixels,
                         real *out);
// Standardise, rotate, clip n rows in place.
void snapshot_finish_rows(const struct snapshot *snapshot, struct pool *pool, int64_t n,
                          real *rows);
// The latent that the policy sees.
void snapshot_encode(struct snapshot *snapshot, struct tape *tape, int n, const uint8_t *pixels,
                     real *out);

// Sets mean and inverse_std from n raw rows, and the rotation so that the new rows fall on the old
// ones (n, dim), of all ranks, as nearly as a rotation can bring them; old NULL = identity. Returns
// the mean correlation of the aligned rows with the old ones (1 without old).
double snapshot_fit(struct snapshot *snapshot, int64_t n, const real *raw, const float *old);
