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

typedef uint16_t hvec __attribute__((vector_size(W * 2)));  // of either kind of two bytes

// What differs from processor to processor. Rounding is to the nearest, ties to even, as PyTorch's; NaN
// stays NaN.
#if defined(__AVX512BF16__)

INLINE __mmask16 first_lanes(long n) { return (__mmask16)((1u << n) - 1); }

INLINE hvec load_some(const void* p, long n) {
    return (hvec)_mm256_maskz_loadu_epi16(first_lanes(n), p);
}
INLINE void store_some(void* p, hvec a, long n) {
    _mm256_mask_storeu_epi16(p, first_lanes(n), (__m256i)a);
}

INLINE hvec to_bf16(vec a) { return (hvec)_mm512_cvtneps_pbh((__m512)a); }
INLINE hvec to_fp16(vec a) {
    return (hvec)_mm512_cvtps_ph((__m512)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
INLINE vec from_fp16(hvec a) { return (vec)_mm512_cvtph_ps((__m256i)a); }

// Past the caches; a whole cache line, at a multiple of 64 bytes.
INLINE void stream(fp16* p, hvec a, hvec b) {
    const __m512i low = _mm512_castsi256_si512((__m256i)a);
    _mm512_stream_si512((__m512i*)p, _mm512_inserti64x4(low, (__m256i)b, 1));
}

INLINE vec dot(vec a, vec b, vec sum) {
    return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)(__m512i)a, (__m512bh)(__m512i)b);
}

#elif defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)

INLINE hvec load_some(const void* p, long n) {
    hvec a{};
    for (long k = 0; k < n; ++k) a[k] = ((const uint16_t*)p)[k];
    return a;
}
INLINE void store_some(void* p, hvec a, long n) {
    for (long k = 0; k < n; ++k) ((uint16_t*)p)[k] = a[k];
}

INLINE hvec to_bf16(vec a) {
    return (hvec)vreinterpret_u16_bf16(vcvt_bf16_f32((float32x4_t)a));
}
INLINE hvec to_fp16(vec a) { return (hvec)vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)a)); }
INLINE vec from_fp16(hvec a) { return (vec)vcvt_f32_f16(vreinterpret_f16_u16((uint16x4_t)a)); }

INLINE void stream(fp16* p, hvec a, hvec b) {
    std::memcpy(p, &a, sizeof a);
    std::memcpy(p + W, &b, sizeof b);
}

#define ELMAN_PAIRS  // two rows meet two columns: blocks.h
INLINE vec dot(vec a, vec b, vec sum) {
    return (vec)vbfmmlaq_f32((float32x4_t)sum, vreinterpretq_bf16_f32((float32x4_t)a),
                             vreinterpretq_bf16_f32((float32x4_t)b));
}

#else
#error "this instruction set does not multiply bf16"
#endif

// Each lane's bits, with 16 zeros above them.
INLINE uvec widen(hvec a) {
#if defined(__AVX512F__)
    return (uvec)_mm512_cvtepu16_epi32((__m256i)a);  // GCC would take two halves
#else
    return __builtin_convertvector(a, uvec);
#endif
}

INLINE hvec load_bits(const void* p, long n) {
    if (n != W) return load_some(p, n);
    hvec a;
    std::memcpy(&a, p, sizeof a);
    return a;
}
INLINE void store_bits(void* p, hvec a, long n) {
    if (n != W) return store_some(p, a, n);
    std::memcpy(p, &a, sizeof a);
}

INLINE vec load(const bf16* p, long n = W) { return (vec)(widen(load_bits(p, n)) << 16); }
INLINE vec load(const fp16* p, long n = W) { return from_fp16(load_bits(p, n)); }
INLINE void store(bf16* p, vec a, long n = W) { store_bits(p, to_bf16(a), n); }
INLINE void store(fp16* p, vec a, long n = W) { store_bits(p, to_fp16(a), n); }

INLINE void stream(fp16* p, vec a, vec b, vec c, vec d) {
    stream(p, to_fp16(a), to_fp16(b));
    stream(p + 2 * W, to_fp16(c), to_fp16(d));
}

// Lane k: numbers 2k and 2k + 1 of n.
INLINE vec lanes(const float* row, long n) {
    const vec low = load(row, n < W ? n : W), high = n > W ? load(row + W, n - W) : vec{};
    const hvec both[2] = {to_bf16(low), to_bf16(high)};
    vec a;
    std::memcpy(&a, both, sizeof a);
    return a;
}

// Lane k: number k of one row and of the next, zero where there is none.
INLINE vec stacked(hvec one, hvec next) {
    return (vec)(widen(one) | widen(next) << 16);
}
INLINE vec stacked(vec one, vec next) { return stacked(to_bf16(one), to_bf16(next)); }
INLINE vec stacked(const bf16* one, const bf16* next, long n) {
    return stacked(load_bits(one, n), next ? load_bits(next, n) : hvec{});
}

INLINE vec total(vec a) {
    const uvec both = (uvec)a;
    return (vec)(both << 16) + (vec)(both & 0xffff0000u);
}

INLINE vec spread(const bf16* a) {
    uint32_t both;
    std::memcpy(&both, a, sizeof both);
    return (vec)(both - uvec{});
}
INLINE vec spread_last(const bf16* a) { return (vec)((uint32_t)a->bits - uvec{}); }  // and a zero

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
