// The limit of products of bf16. Compiled once, with AVX512-BF16 where the compiler knows it.
#include "limits.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace elman {

double multiply_add_bf16([[maybe_unused]] int64_t rounds) {
#if defined(__AVX512BF16__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx512bf16")) return 0.0;
    constexpr int CHAINS = 24;
    __m512 sums[CHAINS];
    __m512bh a = (__m512bh)_mm512_set1_epi32(0x3f003f00);  // 0.5, twice
    const __m512bh b = a;
#pragma GCC unroll 24
    for (int k = 0; k < CHAINS; ++k) {
        sums[k] = _mm512_setzero_ps();
        asm volatile("" : "+v"(sums[k]));  // or all chains would be one
    }
    for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
        for (int k = 0; k < CHAINS; ++k) sums[k] = _mm512_dpbf16_ps(sums[k], a, b);
        asm volatile("" : "+v"(a));
    }
#pragma GCC unroll 24
    for (int k = 0; k < CHAINS; ++k) asm volatile("" : "+v"(sums[k]));
    return 2.0 * 32 * CHAINS * (double)rounds;
#else
    return 0.0;
#endif
}

}  // namespace elman
