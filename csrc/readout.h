// What stands between the output of a decoder and its next token, for one row: attention to a
// source, tanh, and the log probabilities of a vocabulary.
#pragma once

#include <cstdint>

namespace elman {

// A source that attention looks at. S steps, M numbers of memory, A numbers that are compared.
struct Looked {
    const float* keys;    // [S, A]
    const float* memory;  // [S, M]
    int64_t S, A, M;
    const float* v;  // [A]: scores are v · tanh(q + key); null: they are q · key
};

// The sum of e^x is sum * e^most. NaN where an x is NaN or infinite, or all are -inf.
struct Mass {
    float most, sum;
};

struct ReadoutKernels {
    const char* name;
    // q [A] → the shares [S] of the steps, by the softmax of their scores, and what is found [M].
    void (*attend)(const Looked& at, const float* q, float* shares, float* found);
    void (*tanh)(float* x, int64_t n);  // in place
    Mass (*mass)(const float* x, int64_t n);
    void (*log_softmax)(const float* x, float* to, int64_t n);  // NaN as in `Mass`
    int64_t (*largest)(const float* x, int64_t n);  // the first of the largest; no x is NaN
};

extern const ReadoutKernels portable_readout;
#if defined(__x86_64__)
extern const ReadoutKernels avx2_readout;
extern const ReadoutKernels avx512_readout;
#endif

}  // namespace elman
