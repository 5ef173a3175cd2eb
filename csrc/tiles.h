// Products of bf16 by AMX: registers of 16 rows of 64 bytes, of which one instruction multiplies two and
// adds the product to a third. Each thread says first how many rows its registers have.
#pragma once

#include "operands.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

// Work that is done in portions while tiles are multiplied: that takes one unit of the processor alone,
// and for so long that instructions of other kinds pass by it.
struct Between {
    void (*work)(void* context, long portion) = nullptr;
    void* context = nullptr;
    long portion = 0;

    INLINE void operator()() const {
        if (work) work(context, portion);
    }
};

#if !defined(__AMX_BF16__)

constexpr bool TILED = false;

// For threads that multiply by tiles: from here on to its end the registers are theirs.
struct TilesInUse {
    TilesInUse() {}
};

#else

constexpr bool TILED = true;
constexpr long TILE_ROWS = 16, TILE_DEPTH = 16 * DEEP;  // of sums; of the numbers that are added up

// Rows of the registers as they are set in this thread: of those with even numbers, and with odd ones. 0:
// not set.
thread_local long even_rows = 0, odd_rows = 0;

struct TilesInUse {
    TilesInUse() { even_rows = odd_rows = 0; }
    ~TilesInUse() { asm volatile("tilerelease" ::: "memory"); }
    TilesInUse(const TilesInUse&) = delete;
    TilesInUse& operator=(const TilesInUse&) = delete;
};

// Registers 0 to 3 hold sums and 4 and 5 the rows that meet the matrix, `even` and `odd` rows in turn; 6
// and 7 hold the matrix. Whatever was in them is lost.
INLINE void shape_tiles(long even, long odd) {
    if (even == even_rows && odd == odd_rows) return;
    even_rows = even, odd_rows = odd;
    struct alignas(64) {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shape = {1, 0, {}, {}, {}};
    for (int k = 0; k < 8; ++k) {
        shape.bytes[k] = 64;
        shape.rows[k] = (uint8_t)(k > 5 ? TILE_ROWS : k % 2 ? odd : even);
    }
    asm volatile("ldtilecfg %0" ::"m"(shape) : "memory");
}

// `step` bytes from row to row.
template <int tile>
INLINE void load_tile(const void* from, long step) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(step), "n"(tile) : "memory");
}
template <int tile>
INLINE void store_tile(void* to, long step) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(step), "n"(tile) : "memory");
}
template <int tile>
INLINE void clear_tile() {
    asm volatile("tilezero %%tmm%c0" ::"n"(tile));
}
template <int sums, int rows, int matrix>
INLINE void multiply_tiles() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"n"(sums), "n"(rows), "n"(matrix));
}

// One factor of a product of tiles: for each register of rows 16 of them, `a_step` numbers apart, each
// TILE_DEPTH long and the next part of it `a_deep` numbers on; and a matrix in pairs of rows, `p_step`
// numbers apart, 16 columns for each register of it.
struct Tiled {
    const Operand* a[2];
    long a_step, a_deep;
    const Operand* p;
    long p_step, K;  // a multiple of TILE_DEPTH
};

// Calls use(register, block of rows, block of columns) for each register of the sums of R blocks of rows by
// C blocks of columns.
template <int n>
struct Register {
    static constexpr int number = n;
};
template <int R, int C, int n = 0, class Use>
INLINE void each_sum(const Use& use) {
    static_assert(R <= 2 && R * C <= 4, "registers of sums");
    if constexpr (n < R * C) {
        use(Register<n>{}, n % R, n / R);
        each_sum<R, C, n + 1>(use);
    }
}

// Adds a product to such sums, with a portion of other work between one depth and the next.
template <int R, int C>
INLINE void add_tiles(const Tiled& f, const Between& between) {
    const long a_step = f.a_step * (long)sizeof(Operand), p_step = f.p_step * (long)sizeof(Operand);
    const Operand *a = f.a[0], *second = f.a[1], *p = f.p;
    for (long k = 0; k < f.K; k += TILE_DEPTH) {
        load_tile<4>(a, a_step);
        if constexpr (R > 1) load_tile<5>(second, a_step);
        each_sum<R, C>([&](auto sum, int r, int c) __attribute__((always_inline)) {
            constexpr int row = sum.number % R, column = sum.number / R;
            if (r == 0) load_tile<6 + column % 2>(p + c * W * DEEP, p_step);
            multiply_tiles<sum.number, 4 + row, 6 + column % 2>();
        });
        between();
        a += f.a_deep, second += f.a_deep, p += TILE_DEPTH / DEEP * f.p_step;
    }
}

// Such sums from memory and to it, `step` floats from row to row; the second block of rows apart.
template <int R, int C>
INLINE void load_sums(const float* first, const float* second, long step) {
    each_sum<R, C>([&](auto sum, int r, int c) __attribute__((always_inline)) {
        load_tile<sum.number>((r ? second : first) + c * W, step * (long)sizeof(float));
    });
}
template <int R, int C>
INLINE void store_sums(float* first, float* second, long step) {
    each_sum<R, C>([&](auto sum, int r, int c) __attribute__((always_inline)) {
        store_tile<sum.number>((r ? second : first) + c * W, step * (long)sizeof(float));
    });
}
template <int R, int C>
INLINE void clear_sums() {
    each_sum<R, C>([](auto sum, int, int) __attribute__((always_inline)) { clear_tile<sum.number>(); });
}

#endif

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
