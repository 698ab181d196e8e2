// The learning code's number: float, or double in the second build that the tests use to check
// gradients by finite differences (-DRL_DOUBLE). Kernels with SIMD variants fall back to their
// *_ref there.
#pragma once

#ifdef RL_DOUBLE
typedef double real;
#else
typedef float real;
#endif
