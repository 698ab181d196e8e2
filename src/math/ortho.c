#include "math/ortho.h"

#include "base/err.h"
#include "base/mem.h"
#include "math/gemm.h"

// LAPACK's own interface: matrices by columns, everything by address.
void dgeqrf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work,
             const int *lwork, int *info);
void dorgqr_(const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau,
             double *work, const int *lwork, int *info);

#define BLOCK 32

void ortho_rows(int n, int m, double *a) {
    RL_ASSERT(n > 0 && m >= n);
    gemm_library_prepare();
    int info, work_count = n * BLOCK;
    double *tau = MEM_ARRAY(double, n), *work = MEM_ARRAY(double, work_count);
    // Rows in our order are columns in LAPACK's.
    dgeqrf_(&m, &n, a, &m, tau, work, &work_count, &info);
    RL_ASSERT(info == 0);
    double *sign = work + work_count - n; // beyond what dorgqr is given below
    for (int i = 0; i < n; i++) sign[i] = a[(size_t)i * (size_t)m + (size_t)i] < 0 ? -1 : 1;
    int rest = work_count - n;
    dorgqr_(&m, &n, &n, a, &m, tau, work, &rest, &info);
    RL_ASSERT(info == 0);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < m; j++) a[(size_t)i * (size_t)m + (size_t)j] *= sign[i];
    }
    mem_free(tau);
    mem_free(work);
}
