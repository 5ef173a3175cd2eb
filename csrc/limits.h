// What a processor can do at best, for measurements: multiplications and additions that never leave the
// registers, and reading that does nothing else.
#pragma once

#include <cstdint>

namespace elman {

struct Limits {
    // `rounds` of fused multiply-adds in chains that do not wait for each other. Gives the operations
    // done, two for each number.
    double (*multiply_add)(int64_t rounds);
    // Reads n floats, and gives their sum.
    float (*read)(const float* from, int64_t n);
};

extern const Limits portable_limits;
#if defined(__x86_64__)
extern const Limits avx2_limits;
extern const Limits avx512_limits;
#endif

// The same of products of bf16 into sums of float32.
struct HalfLimits {
    double (*multiply_add)(int64_t rounds);
};

#if defined(__x86_64__)
extern const HalfLimits avx512bf16_half_limits;
extern const HalfLimits amx_half_limits;
#elif defined(__aarch64__)
extern const HalfLimits neonbf16_half_limits;
#endif

}  // namespace elman
