// Pictures as rows of patches, and the loss of masked autoencoders (He et al. 2022).
#pragma once

#include "nn/ops.h"

struct patches {
    int n, height, width, channels, side; // side divides height and width
};
int patches_count(const struct patches *shape); // of one picture
int patches_size(const struct patches *shape);  // numbers in a patch

// pixels * scale + shift -> out (n, count, size); a patch is read row by row, channels last.
// normalize: each patch by its own mean and unbiased variance (+ 1e-6).
void patches_cut(const struct patches *shape, const real *pixels, bool normalize, real *out);
void patches_cut_u8(const struct patches *shape, const uint8_t *pixels, double scale, double shift,
                    bool normalize, real *out);

// The int(count * (1 - ratio)) patches of smallest noise of each picture are kept, in the order of
// their noise, the others are masked. kept (n, keep) and masked (n, count - keep) patch numbers.
// Returns keep.
int patches_mask(int n, int count, double ratio, const real *noise, int *kept, int *masked);

// prediction, target (rows, size): mean of squares in each row, then mean over the rows.
struct tensor *patches_loss(struct tape *tape, struct tensor *prediction, struct tensor *target);
