// Orthogonal matrices by LAPACK's QR.
#pragma once

// a (n rows of length m >= n, independent): its rows become orthonormal, by Gram-Schmidt from the
// first to the last (QR with a positive diagonal, so that normal entries give a uniformly random
// matrix, Mezzadri 2007).
void ortho_rows(int n, int m, double *a);
