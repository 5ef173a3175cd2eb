// The operands of products. A lane holds DEEP of them, next to each other in a row: one instruction
// multiplies each with its counterpart and adds all to the lane's sum.
#pragma once

#include "numbers.h"
#include "vector.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

#if !defined(ELMAN_HALF)

using Number = Single;
using Operand = float;
using Saved = float;
constexpr long DEEP = 1;

// W floats a row, as operands.
INLINE vec lanes(const float* row, long n) { return load(row, n); }

// DEEP rows, one above the other; there is only one.
INLINE vec stacked(vec one, vec) { return one; }
INLINE vec stacked(const float* one, const float*, long n) { return load(one, n); }

// The sum of a lane's operands.
INLINE vec total(vec a) { return a; }

// Four vectors next to each other, past the caches; whole cache lines, at a multiple of 64 bytes.
INLINE void stream(float* p, vec a, vec b, vec c, vec d) {
    const vec all[] = {a, b, c, d};
    for (int k = 0; k < 4; ++k)
#if defined(__AVX512F__)
        _mm512_stream_ps(p + k * W, (__m512)all[k]);
#elif defined(__AVX2__)
        _mm256_stream_ps(p + k * W, (__m256)all[k]);
#else
        store(p + k * W, all[k]);
#endif
}

// The operands at a, in all lanes.
INLINE vec spread(const float* a) { return splat(*a); }
INLINE vec spread_last(const float* a) { return splat(*a); }

INLINE vec dot(vec a, vec b, vec sum) { return fma(a, b, sum); }

#else

using Number = Half;
using Operand = bf16;
using Saved = fp16;
constexpr long DEEP = 2;

typedef uint16_t hvec __attribute__((vector_size(W * 2)));

INLINE __mmask16 first_lanes(long n) { return (__mmask16)((1u << n) - 1); }

INLINE hvec load_bits(const void* p, long n) {
    if (n == W) return (hvec)_mm256_loadu_si256((const __m256i*)p);
    return (hvec)_mm256_maskz_loadu_epi16(first_lanes(n), p);
}

INLINE void store_bits(void* p, hvec a, long n) {
    if (n == W) return _mm256_storeu_si256((__m256i*)p, (__m256i)a);
    _mm256_mask_storeu_epi16(p, first_lanes(n), (__m256i)a);
}

// Rounding is to the nearest, ties to even, as PyTorch's; NaN stays NaN.
INLINE hvec rounded(vec a) { return (hvec)_mm512_cvtneps_pbh((__m512)a); }

INLINE vec load(const bf16* p, long n = W) {
    return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)load_bits(p, n)), 16);
}
INLINE void store(bf16* p, vec a, long n = W) { store_bits(p, rounded(a), n); }

INLINE hvec halved(vec a) {
    return (hvec)_mm512_cvtps_ph((__m512)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
INLINE vec load(const fp16* p, long n = W) {
    return (vec)_mm512_cvtph_ps((__m256i)load_bits(p, n));
}
INLINE void store(fp16* p, vec a, long n = W) {
    store_bits(p, halved(a), n);
}

INLINE void stream(fp16* p, vec a, vec b, vec c, vec d) {
    const auto line = [](vec one, vec next) {
        const __m512i low = _mm512_castsi256_si512((__m256i)halved(one));
        return _mm512_inserti64x4(low, (__m256i)halved(next), 1);
    };
    _mm512_stream_si512((__m512i*)p, line(a, b));
    _mm512_stream_si512((__m512i*)(p + 2 * W), line(c, d));
}

// Lane k: numbers 2k and 2k + 1 of n.
INLINE vec lanes(const float* row, long n) {
    if (n == 2 * W)
        return (vec)(__m512i)_mm512_cvtne2ps_pbh((__m512)load(row + W), (__m512)load(row));
    const vec low = load(row, n < W ? n : W), high = n > W ? load(row + W, n - W) : vec{};
    return (vec)(__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
}

// Lane k: number k of one row and of the next, zero where there is none.
INLINE vec stacked(hvec one, hvec next) {
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)one);
    return (vec)_mm512_or_si512(low, _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)next), 16));
}
INLINE vec stacked(vec one, vec next) { return stacked(rounded(one), rounded(next)); }
INLINE vec stacked(const bf16* one, const bf16* next, long n) {
    return stacked(load_bits(one, n), next ? load_bits(next, n) : hvec{});
}

INLINE vec total(vec a) {
    const ivec both = (ivec)a;
    return (vec)(both << 16) + (vec)(both & (int32_t)0xffff0000);
}

INLINE vec spread(const bf16* a) {
    int32_t both;
    std::memcpy(&both, a, sizeof both);
    return (vec)_mm512_set1_epi32(both);
}
INLINE vec spread_last(const bf16* a) { return (vec)_mm512_set1_epi32(a->bits); }  // and a zero

INLINE vec dot(vec a, vec b, vec sum) {
    return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)(__m512i)a, (__m512bh)(__m512i)b);
}

#endif

// Before others may read what was streamed.
INLINE void settle() {
#if defined(__AVX2__)
    _mm_sfence();
#endif
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
