// Gradients of weight matrices: of each the sum over all rows n of d_n times a_n, d_n being the
// gradient of what the matrix gave for a_n.
#pragma once

#include "numbers.h"

namespace elman {

template <class Number>
struct Gradient {
    using Operand = typename Number::Operand;

    // A matrix [M, K], and what it was given.
    struct Side {
        int64_t K;
        const Operand* const* a;   // [N] rows of K numbers
        const float* const* mask;  // [N] rows of K floats that multiply those of a, or null
        float* to;                 // [M, K] out
    };

    int64_t N, M;
    const Operand* d;  // [N, M], `ld` numbers from row to row
    int64_t ld;
    Side sides[2];  // matrices whose sums were added: they share d
    int count;      // of sides
    float* total;   // [M] out or null: the sum of all d_n
};

// The gradient of a table, of which row ids[n] was read at n.
template <class Number>
struct Scatter {
    int64_t N, M, V;
    const typename Number::Operand* d;  // [N, M]
    const int64_t* ids;                 // [N]
    float* to;                          // [V, M] out
};

template <class Number>
struct Gradients {
    // Rows first .. last of the matrices. The sums are made in the same order whatever they are.
    void (*gradient)(const Gradient<Number>& g, int64_t first, int64_t last);
    // Columns first .. last of the table, likewise.
    void (*scatter)(const Scatter<Number>& s, int64_t first, int64_t last);
};

extern const Gradients<Single> portable_gradients;
#if defined(__x86_64__)
extern const Gradients<Single> avx2_gradients;
extern const Gradients<Single> avx512_gradients;
extern const Gradients<Half> avx512bf16_gradients;
extern const Gradients<Half> amx_gradients;
#elif defined(__aarch64__)
extern const Gradients<Half> neonbf16_gradients;
#endif

}  // namespace elman
