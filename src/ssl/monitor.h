// Figures that show collapse, which the loss of a non-contrastive method hides.
#pragma once

#include <stddef.h>

#include "base/real.h"

struct monitor_figures {
    double std;     // mean over dimensions of the deviation of L2-normalised rows
    double healthy; // 1 / sqrt(d): the std of rows spread evenly over the sphere
    double cosine;  // mean over pairs of different rows
    double raw_std; // mean over dimensions, rows as they are
};
struct monitor_figures monitor_measure(const real *rows, int n, int d, double *scratch /* 4 d */);

// exp of the entropy of the covariance's normalised eigenvalues (Roy and Vetterli 2007): between 1
// and min(n - 1, d); 0 for rows that are all the same.
double monitor_rank(const real *rows, int n, int d, double *scratch);
size_t monitor_rank_scratch(int n, int d); // doubles
