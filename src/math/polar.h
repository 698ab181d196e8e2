// Orthogonal polar factor: the rotation (or reflection) nearest to a square matrix, which solves
// the orthogonal Procrustes problem (Schoenemann 1966) when the matrix is a cross-covariance.
#pragma once

#include <stdbool.h>

// r (n, n) = argmin over orthogonal R of ||m - R||_F, for m (n, n), row-major. Newton's iteration
// with Frobenius scaling (Higham 1986). False when m is singular to working precision; r is then
// the identity. scratch: 2 n^2 doubles.
bool polar_factor(int n, const double *m, double *r, double *scratch);
