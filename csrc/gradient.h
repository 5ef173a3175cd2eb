// The gradient of a weight matrix: the sum over all rows n of d_n times a_n, d_n being the gradient
// of what the matrix gave for a_n.
#pragma once

#include <cstdint>

namespace elman {

struct Gradient {
    int64_t N, M, K;
    const float* d;        // [N, M], `ld` floats from row to row
    int64_t ld;
    const float* const* a;     // [N] rows of K floats
    const float* const* mask;  // [N] rows of K floats that multiply those of a, or null
    float* to;                 // [M, K] out
    float* total;              // [M] out or null: the sum of all d_n
};

struct Gradients {
    // Rows first .. last of the matrix. The sums are made in the same order whatever they are.
    void (*gradient)(const Gradient& g, int64_t first, int64_t last);
};

extern const Gradients portable_gradients;
#if defined(__x86_64__)
extern const Gradients avx2_gradients;
extern const Gradients avx512_gradients;
#endif

}  // namespace elman
