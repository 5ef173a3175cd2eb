// Vectors of floats of the width that this translation unit is compiled for, and what is done with
// them. GCC's and Clang's vector extension carries the arithmetic. Products and sums are fused only
// where `fma` is written (-ffp-contract=off), so that equal rows give equal bits wherever they lie.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace elman {
namespace ELMAN_ISA {
namespace {

#if defined(__AVX512F__)
constexpr long W = 16;
constexpr int ACCUMULATORS = 24;  // of 32 registers
#elif defined(__AVX2__)
constexpr long W = 8;
constexpr int ACCUMULATORS = 12;  // of 16 registers
#elif defined(__aarch64__) && defined(ELMAN_HALF)
constexpr long W = 4;
constexpr int ACCUMULATORS = 18;  // of 32 registers; those of operands go by pairs
#else
constexpr long W = 4;
constexpr int ACCUMULATORS = 12;
#endif

typedef float vec __attribute__((vector_size(W * 4)));
typedef int32_t ivec __attribute__((vector_size(W * 4)));
typedef uint32_t uvec __attribute__((vector_size(W * 4)));

#define INLINE inline __attribute__((always_inline))

INLINE vec splat(float a) { return a - vec{}; }  // a - 0 keeps the sign of zero, 0 + a would not

INLINE vec load(const float* p) {
    vec a;
    std::memcpy(&a, p, sizeof a);
    return a;
}

INLINE void store(float* p, vec a) { std::memcpy(p, &a, sizeof a); }

// The first n lanes; the others are zero, and are not written.
INLINE vec load(const float* p, long n) {
    if (n == W) return load(p);
    vec a{};
    for (long k = 0; k < n; ++k) a[k] = p[k];
    return a;
}

INLINE void store(float* p, vec a, long n) {
    if (n == W) return store(p, a);
    for (long k = 0; k < n; ++k) p[k] = a[k];
}

INLINE vec fma(vec a, vec b, vec c) {
#if defined(__AVX512F__)
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}

// The first operand is the limit; the second passes if it is NaN.
INLINE vec at_most(vec limit, vec a) {
#if defined(__AVX512F__)
    return (vec)_mm512_min_ps((__m512)limit, (__m512)a);
#elif defined(__AVX2__)
    return (vec)_mm256_min_ps((__m256)limit, (__m256)a);
#else
    return limit < a ? limit : a;
#endif
}

INLINE vec at_least(vec limit, vec a) {
#if defined(__AVX512F__)
    return (vec)_mm512_max_ps((__m512)limit, (__m512)a);
#elif defined(__AVX2__)
    return (vec)_mm256_max_ps((__m256)limit, (__m256)a);
#else
    return limit > a ? limit : a;
#endif
}

INLINE vec within(float limit, vec a) { return at_least(splat(-limit), at_most(splat(limit), a)); }

// e^(factor * a) = scale * (1 + m) with scale = 2^n and m = e^r - 1, where factor * a = n ln 2 + r
// and |r| <= ln 2 / 2 (Cody and Waite's reduction). m / r - 1 is r times a polynomial that
// interpolates it in Chebyshev's points; m is off by 0.4 units of its last place. |factor * a| <= 88.
struct Exponential {
    vec scale, m;
};

template <int factor>  // 2 or -1: products with it are exact
INLINE Exponential exponential(vec a) {
    constexpr float log2_e = 1.44269504f, by = factor;
    const vec to_integer = splat(12582912.0f);  // 1.5 * 2^23: the sum's last bit is worth 1
    vec rounded = fma(a, splat(by * log2_e), to_integer);
    vec n = rounded - to_integer;
    vec r = fma(n, splat(-0.693359375f), by * a);
    r = fma(n, splat(2.12194440e-4f), r);
    vec q = splat(0.0013926184f);
    q = fma(q, r, splat(0.008363179f));
    q = fma(q, r, splat(0.041666556f));
    q = fma(q, r, splat(0.16666576f));
    q = fma(q, r, splat(0.5f));
    return {(vec)(((uvec)rounded << 23) + (uvec)splat(1.0f)), fma(r * r, q, r)};  // wraps round
}

// e^a for a <= 0; 2^-126 at least.
INLINE vec decay(vec a) {
    auto [scale, m] = exponential<-1>(within(87.0f, -a));
    return fma(scale, m, scale);
}

#if !defined(ELMAN_HALF)

// 1 / (1 + e^-a). Below a = -87.3 the result is no normal number, and may be zero.
INLINE vec sigmoid(vec a) {
    auto [scale, m] = exponential<-1>(within(88.0f, a));
    return 1.0f / (1.0f + fma(scale, m, scale));
}

// k / (k + 2) with k = e^2a - 1, exact in the small because k is; ±1 from |a| = 9.02 on.
INLINE vec tanh(vec a) {
    auto [scale, m] = exponential<2>(within(10.0f, a));
    vec k = fma(scale, m, scale - 1.0f);
    return k / (k + 2.0f);
}

#else

// The same where operands are rounded to 2^-9 anyway: a shorter polynomial, off by 2^-15, and a
// reciprocal, off by 2^-14 of the value at most, also close to 0.
template <int factor>
INLINE Exponential rough_exponential(vec a) {
    constexpr float log2_e = 1.44269504f, by = factor;
    const vec to_integer = splat(12582912.0f);
    vec rounded = fma(a, splat(by * log2_e), to_integer);
    vec r = fma(rounded - to_integer, splat(-0.69314718f), by * a);
    vec q = splat(0.041791990f);
    q = fma(q, r, splat(0.16741899f));
    q = fma(q, r, splat(0.5f));
    return {(vec)(((uvec)rounded << 23) + (uvec)splat(1.0f)), fma(r * r, q, r)};
}

INLINE vec reciprocal(vec a) {
#if defined(__AVX512F__)
    return (vec)_mm512_rcp14_ps((__m512)a);
#else
    return 1.0f / a;
#endif
}

INLINE vec sigmoid(vec a) {
    auto [scale, m] = rough_exponential<-1>(within(88.0f, a));
    return reciprocal(fma(scale, m, scale + 1.0f));
}

INLINE vec tanh(vec a) {
    auto [scale, m] = rough_exponential<2>(within(10.0f, a));
    vec k = fma(scale, m, scale - 1.0f);
    return k * reciprocal(k + 2.0f);
}

#endif

// Turns W rows of W lanes: lane k of row m becomes lane m of row k. Quarters that do not lie on the
// diagonal change places, then quarters of quarters.
template <int half = W / 2>
INLINE void transpose(vec (&rows)[W]) {
    ivec low, high;
#pragma GCC unroll 16
    for (int k = 0; k < W; ++k) {
        low[k] = k & half ? W + k - half : k;
        high[k] = k & half ? W + k : k + half;
    }
#pragma GCC unroll 16
    for (int m = 0; m < W; ++m)
        if (!(m & half)) {
            const vec a = rows[m], b = rows[m + half];
#if defined(__clang__)
            for (int k = 0; k < W; ++k) {
                rows[m][k] = low[k] < W ? a[low[k]] : b[low[k] - W];
                rows[m + half][k] = high[k] < W ? a[high[k]] : b[high[k] - W];
            }
#else
            rows[m] = __builtin_shuffle(a, b, low);
            rows[m + half] = __builtin_shuffle(a, b, high);
#endif
        }
    if constexpr (half > 1) transpose<half / 2>(rows);
}

INLINE vec relu(vec a) { return a < 0.0f ? splat(0.0f) : a; }

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
