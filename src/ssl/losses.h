// The losses of the methods as functions of embeddings: (B, D) rows unless said. Targets carry no
// gradient when they come from op_detach or from a tape that does not record.
#pragma once

#include "nn/ops.h"

// |n(p) - n(z)|^2 = 2 - 2 cos for each row: (B, 1). BYOL (Grill et al. 2020, eq. 2); SimSiam and
// SPR use the same up to a factor.
struct tensor *loss_regression_rows(struct tape *tape, struct tensor *p, struct tensor *z);
