// The limits of one instruction set, ELMAN_ISA.
#include "limits.h"

#include "vector.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

// Tells the compiler that a vector may have changed here, at no cost.
INLINE void touch(vec& a) {
#if defined(__AVX2__)
    asm volatile("" : "+v"(a));
#elif defined(__x86_64__)
    asm volatile("" : "+x"(a));
#elif defined(__aarch64__)
    asm volatile("" : "+w"(a));
#else
    asm volatile("" : "+m"(a));
#endif
}

INLINE float added_up(vec a) {
    float sum = 0.0f;
    for (long k = 0; k < W; ++k) sum += a[k];
    return sum;
}

double multiply_add(int64_t rounds) {
    constexpr int CHAINS = 12;  // more than 4 cycles of waiting times 2 units
    vec sums[CHAINS], a = splat(0.5f), b = splat(0.25f);
#pragma GCC unroll 16
    for (int k = 0; k < CHAINS; ++k) {
        sums[k] = vec{};
        touch(sums[k]);  // or all chains would be one
    }
    for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
        for (int k = 0; k < CHAINS; ++k) sums[k] = fma(a, b, sums[k]);
        touch(a);
    }
#pragma GCC unroll 16
    for (int k = 0; k < CHAINS; ++k) touch(sums[k]);
    return 2.0 * W * CHAINS * (double)rounds;
}

float read(const float* from, int64_t n) {
    constexpr int CHAINS = 8;
    vec sums[CHAINS];
#pragma GCC unroll 8
    for (int k = 0; k < CHAINS; ++k) sums[k] = vec{};
    int64_t done = 0;
    for (; done + CHAINS * W <= n; done += CHAINS * W)
#pragma GCC unroll 8
        for (int k = 0; k < CHAINS; ++k) sums[k] = sums[k] + load(from + done + k * W);
    float sum = 0.0f;
    for (int k = 0; k < CHAINS; ++k) sum += added_up(sums[k]);
    for (; done < n; ++done) sum += from[done];
    return sum;
}

}  // namespace
}  // namespace ELMAN_ISA

#define TABLE(isa) isa##_limits
#define DEFINE(isa) const Limits TABLE(isa) = {isa::multiply_add, isa::read};
#define EXPAND(macro, isa) macro(isa)
EXPAND(DEFINE, ELMAN_ISA)

}  // namespace elman
