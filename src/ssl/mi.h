// Lower bounds on the mutual information of two variables from a critic's scores (n, n): pairs on
// the diagonal are drawn together, all others apart. Scalars in nats, to be maximised.
#pragma once

#include "nn/ops.h"

enum mi_bound {
    MI_DV,  // Donsker and Varadhan 1983: E[T] - log E'[exp T]; tight at T = log density ratio
    MI_NWJ, // Nguyen, Wainwright and Jordan 2010: E[T] - E'[exp(T - 1)]; tight at ratio's log + 1
    MI_JSD, // 2 log 2 - E[softplus(-T)] - E'[softplus(T)]: twice the Jensen-Shannon divergence at
            // best, not the information itself
    MI_INFONCE, // van den Oord et al. 2018: log n - cross-entropy of the diagonal; at most log n
};
struct tensor *mi_bound(struct tape *tape, struct tensor *scores, enum mi_bound kind);

// Information of two unit normals with this correlation: -log(1 - correlation^2) / 2.
double mi_gaussian(double correlation);
