// What one step of a product takes: a group of ROWS rows, TAKEN numbers of each, and W columns as deep. It is
// one row and the operands of a lane, but for bfmmla of ARM: two rows of four numbers by two columns of four,
// and their four sums.
#pragma once

#include "operands.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

#if !defined(ELMAN_PAIRS)

constexpr int ROWS = 1;
constexpr long TAKEN = DEEP;

using Columns = vec;
using Sums = vec;  // of a group with W columns

// W columns of a packed matrix, whose next lanes lie `next` numbers on. `left`: so many numbers deep, at most
// TAKEN.
INLINE Columns load_columns(const Operand* p, long, long) { return load((const float*)p); }

// A group of rows `lda` numbers apart, of which `rows` are left.
INLINE vec group(const Operand* a, long, long, long left) {
    return left < DEEP ? spread_last(a) : spread(a);
}

// A group of rows, from `row` on, that are packed as columns are.
INLINE vec packed_group(const Operand* a, int row, long) { return spread(a + row * DEEP); }

// Sums of a group from those of its rows, and those of a row from it.
INLINE Sums joined(vec one, vec) { return one; }
INLINE vec parted(Sums s, int) { return s; }

#else

constexpr int ROWS = 2;
constexpr long TAKEN = 2 * DEEP;

// As bfmmla takes them: of two columns each, one after the other; of two rows with two columns, row by row.
struct Columns {
    vec low, high;
};
struct Sums {
    vec low, high;
};

INLINE Columns load_columns(const Operand* p, long next, long left) {
    const auto one = (float32x4_t)load((const float*)p);
    const auto two = (float32x4_t)(left > DEEP ? load((const float*)(p + next)) : vec{});
    return {(vec)vzip1q_f32(one, two), (vec)vzip2q_f32(one, two)};
}

// A row without a second is beside zeros: its sums are made as any other's.
INLINE vec group(const Operand* a, long lda, long rows, long left) {
    const hvec one = load_bits(a, left), two = rows > 1 ? load_bits(a + lda, left) : hvec{};
    return (vec)vcombine_u16((uint16x4_t)one, (uint16x4_t)two);
}

INLINE vec packed_group(const Operand* a, int row, long next) {
    const Columns four = load_columns(a + row / W * W * DEEP, next, TAKEN);
    return row % W ? four.high : four.low;
}

INLINE Sums joined(vec one, vec two) {
    const auto a = (float64x2_t)one, b = (float64x2_t)two;
    return {(vec)vzip1q_f64(a, b), (vec)vzip2q_f64(a, b)};
}
INLINE vec parted(Sums s, int row) {
    const auto low = (float64x2_t)s.low, high = (float64x2_t)s.high;
    return (vec)(row ? vzip2q_f64(low, high) : vzip1q_f64(low, high));
}

INLINE Sums dot(vec rows, const Columns& p, Sums s) {
    return {dot(rows, p.low, s.low), dot(rows, p.high, s.high)};
}

#endif

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
