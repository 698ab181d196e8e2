#include "ssl/losses.h"

#define NORM_EPS 1e-12

struct tensor *loss_regression_rows(struct tape *tape, struct tensor *p, struct tensor *z) {
    struct tensor *difference =
        op_sub(tape, op_l2_normalize(tape, p, NORM_EPS), op_l2_normalize(tape, z, NORM_EPS));
    return op_sum_columns(tape, op_square(tape, difference));
}
