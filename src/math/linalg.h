// Small dense linear algebra in double precision, for monitors and probes; not for hot loops.
#pragma once

#include <stdbool.h>

// Eigenvalues of the symmetric a (n, n), by cyclic Jacobi rotations (Golub and Van Loan, 8.5), in
// no particular order. a is overwritten. vectors (n, n), unless NULL, receives the eigenvectors as
// columns.
void linalg_eigen(int n, double *a, double *values, double *vectors);

// Solves a x = b for symmetric positive definite a (n, n) by Cholesky; b (n, m) becomes x, a its
// factor. False when a is not positive definite.
bool linalg_solve(int n, double *a, int m, double *b);
