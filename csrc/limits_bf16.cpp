// The limit of products of bf16, for one instruction set.
#include "limits.h"

#include "blocks.h"
#include "tiles.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

#if defined(__AMX_BF16__)

double multiply_add(int64_t rounds) {
    const TilesInUse tiles;
    shape_tiles(TILE_ROWS, TILE_ROWS);
    alignas(64) const Operand halves[TILE_ROWS * TILE_DEPTH] = {};
    clear_sums<2, 2>();
    load_tile<4>(halves, 64), load_tile<5>(halves, 64), load_tile<6>(halves, 64), load_tile<7>(halves, 64);
    for (int64_t round = 0; round < rounds; ++round)
        each_sum<2, 2>([](auto sum, int, int) __attribute__((always_inline)) {
            multiply_tiles<sum.number, 4 + sum.number % 2, 6 + sum.number / 2>();
        });
    return 4.0 * 2 * TILE_ROWS * W * TILE_DEPTH * (double)rounds;
}

#else

// Says to the compiler that a vector in a register may have changed.
#if defined(__x86_64__)
#define KEEP(a) "+v"(a)
#else
#define KEEP(a) "+w"(a)
#endif

double multiply_add(int64_t rounds) {
    constexpr int CHAINS = 24;
    const uint32_t half = 0x3f003f00;  // 0.5, twice
    vec sums[CHAINS], a = (vec)(half - uvec{}), b = a;
    asm volatile("" : KEEP(b));  // as a constant GCC 12 writes it in a way that ARM's assembler refuses
#pragma GCC unroll 24
    for (int k = 0; k < CHAINS; ++k) {
        sums[k] = vec{};
        asm volatile("" : KEEP(sums[k]));  // or all chains would be one
    }
    for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
        for (int k = 0; k < CHAINS; ++k) sums[k] = dot(a, b, sums[k]);
        asm volatile("" : KEEP(a));
    }
#pragma GCC unroll 24
    for (int k = 0; k < CHAINS; ++k) asm volatile("" : KEEP(sums[k]));
    return 2.0 * ROWS * DEEP * W * CHAINS * (double)rounds;
}

#endif

}  // namespace
}  // namespace ELMAN_ISA

#define TABLE(isa) isa##_half_limits
#define DEFINE(isa) const HalfLimits TABLE(isa) = {isa::multiply_add};
#define EXPAND(macro, isa) macro(isa)
EXPAND(DEFINE, ELMAN_ISA)

}  // namespace elman
