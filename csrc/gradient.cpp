// Products with many rows in the middle: d transposed times a. Both are packed a stretch of rows at a
// time, so that the inner loop reads them in order. Compiled once for each instruction set.
#include "gradient.h"

#include "panels.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

// A tile: M rows, V <= MOST vectors. d is packed in blocks of BLOCK columns.
#if defined(__AMX_BF16__)
constexpr int MOST = 2, M = 2 * TILE_ROWS;
constexpr long BLOCK = M;
#else
constexpr int MOST = W == 16 ? 4 : 2, M = ACCUMULATORS / MOST / ROWS * ROWS;
constexpr long BLOCK = 48;
static_assert(ROWS == 1 || M % W == 0, "packed_group takes W rows at a time");
#endif
constexpr long COLUMNS = MOST * W;
constexpr long DEPTH = DEEP > 1 ? 1024 : 512;  // rows n of a stretch; measured
constexpr long CHUNK = 192;  // rows of the matrix for which d is packed at once
constexpr long ASKED_FOR_BYTES_OF_D = 2 << 20;  // above it its rows are asked for ahead; measured
static_assert(CHUNK % BLOCK == 0 && BLOCK % M == 0 && BLOCK % W == 0, "whole tiles, whole vectors");

// How many lanes, one after the other, hold so many rows; beyond them operands are zero.
INLINE long deep(long rows) {
    constexpr long WHOLE = TILED ? 16 : TAKEN / DEEP;
    return (rows + WHOLE * DEEP - 1) / (WHOLE * DEEP) * WHOLE;
}

// Products of packed columns of d with panels.
#if defined(__AMX_BF16__)

// SHARED tiles meet SHARED_DEPTH rows of a panel: 16 KB of it and 24 KB of sums stay in a first-level cache of 48.
// Adding the sums to `to` waits for memory, and is done while the next ones are made.
class Multiplier {
  public:
    // `to` [rows, columns] (+)= Q [depth, rows] transposed times P [depth, V*W], Q in blocks. It is there after
    // finish().
    template <int V>
    void multiply(const Operand* Q, const Operand* P, long depth, float* to, long ld, long rows,
                  long columns, bool add) {
        const long all = deep(depth) * DEEP, half = TILE_ROWS * TILE_DEPTH;
        shape_tiles(TILE_ROWS, TILE_ROWS);
        for (long first = 0; first < rows; first += SHARED * M, Q += SHARED * M * all) {
            const long end = min(rows, first + SHARED * M), tiles = (end - first + M - 1) / M;
            const long calls = all / TILE_DEPTH * tiles;
            const Between between{update, &made_, (made_.rows + calls - 1) / calls};
            for (long k = 0; k < all; k += SHARED_DEPTH)
                for (long t = 0; t < tiles; ++t) {
                    float* at = sums_[turn_] + t * M * V * W;
                    const Operand* q = Q + t * M * all + k * M;
                    if (k)
                        load_sums<2, V>(at, at + TILE_ROWS * V * W, V * W);
                    else
                        clear_sums<2, V>();
                    add_tiles<2, V>({{q, q + half}, TILE_DEPTH, 2 * half, P + k * V * W, V * W * DEEP,
                                     min(SHARED_DEPTH, all - k)}, between);
                    store_sums<2, V>(at, at + TILE_ROWS * V * W, V * W);
                }
            finish();
            made_ = {sums_[turn_], V * W, to + first * ld, ld, min(columns, V * W), 0, end - first, add};
            turn_ = !turn_;
        }
    }

    void finish() { update(&made_, made_.rows); }

  private:
    static constexpr long SHARED = 3, SHARED_DEPTH = 256, AHEAD = 16;  // rows of `to` ahead

    struct Made {
        const float* sums;
        long step;
        float* to;
        long ld, columns, next, rows;
        bool add;
    };

    static void update(void* context, long portion) {
        Made& made = *(Made*)context;
        const Made m = made;
        const long end = min(m.rows, m.next + portion);
        for (long r = m.next; r < end; ++r)
            for (long c = 0; c < m.columns; c += W) {
                const long n = min(W, m.columns - c);
                const vec s = load(m.sums + r * m.step + c);
                float* at = m.to + r * m.ld + c;
                __builtin_prefetch(at + AHEAD * m.ld, 1, 3);
                store(at, m.add ? load(at, n) + s : s, n);
            }
        made.next = end;
    }

    alignas(64) float sums_[2][SHARED * M * COLUMNS];
    Made made_{};
    int turn_ = 0;
};

#else

template <int V>
void tile(const Operand* Q, const Operand* P, long depth, float* to, long ld, long rows,
          long columns, bool add) {
    Sums s[M / ROWS][V];
#pragma GCC unroll 16
    for (int m = 0; m < M / ROWS; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) s[m][v] = Sums{};
    for (long k = 0; k < deep(depth); k += TAKEN / DEEP, P += V * W * TAKEN, Q += BLOCK * TAKEN) {
        Columns p[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) p[v] = load_columns(P + v * W * DEEP, V * W * DEEP, TAKEN);
#pragma GCC unroll 16
        for (int m = 0; m < M / ROWS; ++m) {
            const vec q = packed_group(Q, m * ROWS, BLOCK * DEEP);
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) s[m][v] = dot(q, p[v], s[m][v]);
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
        if (m >= rows) break;
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
            const long n = min(W, columns - v * W);
            if (n <= 0) break;
            float* at = to + m * ld + v * W;
            const vec sum = parted(s[m / ROWS][v], m % ROWS);
            store(at, add ? load(at, n) + sum : sum, n);
        }
    }
}

struct Multiplier {
    template <int V>
    void multiply(const Operand* Q, const Operand* P, long depth, float* to, long ld, long rows,
                  long columns, bool add) {
        for (long m = 0; m < rows; m += M) {
            const Operand* block = Q + (m / BLOCK * deep(depth) * BLOCK + m % BLOCK) * DEEP;
            tile<V>(block, P, depth, to + m * ld, ld, rows - m, columns, add);
        }
    }
    void finish() {}
};

#endif

typedef void (Multiplier::*OfWidth)(const Operand*, const Operand*, long, float*, long, long, long, bool);

template <int V = MOST>
OfWidth of_width(long vectors) {
    if constexpr (V == 1)
        return &Multiplier::multiply<1>;
    else
        return vectors == V ? &Multiplier::multiply<V> : of_width<V - 1>(vectors);
}

using Side = Gradient<Number>::Side;

INLINE long panels(const Side& side) { return (side.K + COLUMNS - 1) / COLUMNS; }
INLINE long panel_size(long depth) { return deep(depth) * DEEP * COLUMNS; }

// Rows n of a, `depth` of them, as panels [depth, COLUMNS]; the last may be fewer vectors wide.
void pack_a(const Side& side, long n, long depth, Operand* to) {
    const long end = n + depth, last = n + deep(depth) * DEEP;
    for (long k = n; k < last; k += DEEP)
        for (long first = 0; first < side.K; first += COLUMNS) {
            const long width = min(COLUMNS, (side.K - first + W - 1) / W * W);
            Operand* at = to + first / COLUMNS * panel_size(depth) + (k - n) * width;
            for (long c = first; c < first + width; c += W, at += W * DEEP) {
                const long lanes = min(W, side.K - c);
                if (k >= end) {
                    store((float*)at, vec{});
                    continue;
                }
                const bool both = DEEP > 1 && k + 1 < end;
                const Operand *one = side.a[k] + c, *next = both ? side.a[k + 1] + c : nullptr;
                if (side.mask) {
                    const vec low = load(one, lanes) * load(side.mask[k] + c, lanes);
                    const vec high =
                        next ? load(next, lanes) * load(side.mask[k + 1] + c, lanes) : vec{};
                    store((float*)at, stacked(low, high));
                } else {
                    store((float*)at, stacked(one, next, lanes));
                }
            }
        }
}

// W columns of rows k and k + 1 of d, zero where there are none.
INLINE vec d_lane(const Gradient<Number>& g, long k, long end, long c, long last) {
    const long lanes = min(W, last - c);
    if (k >= end) return vec{};
    const Operand* one = g.d + k * g.ld + c;
    return stacked(one, DEEP > 1 && k + 1 < end ? one + g.ld : nullptr, lanes);
}

// Columns first .. last of d as blocks [depth, BLOCK], or where tiles multiply them [depth / TILE_DEPTH,
// BLOCK, TILE_DEPTH]. Adds the rows to `total`, if there is one. All of a row that is wanted is read at once,
// since the next may lie on another page; where d is large, the rows of later steps are asked for. What lies
// beyond `last` in a block is not written: sums made of it are not kept.
void pack_d(const Gradient<Number>& g, long n, long depth, long first, long last, Operand* to,
            float* total) {
    constexpr long STEP = TILED ? 16 * DEEP : DEEP, AHEAD = TILED ? STEP : 16;
    const long end = n + depth, whole_end = n + deep(depth) * DEEP, size = deep(depth) * BLOCK * DEEP;
    const bool far = g.N * g.ld * (long)sizeof(Operand) > ASKED_FOR_BYTES_OF_D;
    vec s[CHUNK / W] = {};
    for (long k = n; k < whole_end; k += STEP, to += STEP * BLOCK) {
        for (long r = k + AHEAD; far && r < min(g.N, k + AHEAD + STEP); ++r)
            for (long c = first; c < last; c += 64 / (long)sizeof(Operand))
                __builtin_prefetch(g.d + r * g.ld + c, 0, 3);
        for (long c = first, v = 0; c < last; c += W, ++v) {
            Operand* at = to + v * W / BLOCK * size + v * W % BLOCK * STEP;
#if defined(__AMX_BF16__)
            vec square[W];
            const bool whole = k + TILE_DEPTH <= end && c + W <= last;
            const Operand* d = g.d + k * g.ld + c;
#pragma GCC unroll 16
            for (long j = 0; j < W; ++j, d += DEEP * g.ld)
                square[j] = whole ? stacked(d, d + g.ld, W) : d_lane(g, k + j * DEEP, end, c, last);
            if (total)
#pragma GCC unroll 16
                for (long j = 0; j < W; ++j) s[v] = s[v] + elman::ELMAN_ISA::total(square[j]);
            transpose(square);
#pragma GCC unroll 16
            for (long m = 0; m < W; ++m) store((float*)(at + m * TILE_DEPTH), square[m]);
#else
            const vec both = d_lane(g, k, end, c, last);
            s[v] = s[v] + elman::ELMAN_ISA::total(both);
            store((float*)at, both);
#endif
        }
    }
    for (long c = first, v = 0; total && c < last; c += W, ++v) {
        const long lanes = min(W, last - c);
        store(total + c, load(total + c, lanes) + s[v], lanes);
    }
}

void gradient(const Gradient<Number>& g, int64_t first, int64_t last) {
    const TilesInUse tiles;
    Multiplier multiplier;
    long all = 0;
    for (int k = 0; k < g.count; ++k) all += panels(g.sides[k]);
    Buffer<Operand> P(all * panel_size(DEPTH)), Q(CHUNK * deep(DEPTH) * DEEP);
    if (g.total) copy(g.total + first, nullptr, last - first);
    for (long n = 0; n < g.N; n += DEPTH) {
        const long depth = min(DEPTH, g.N - n);
        Operand* to = P();
        for (int k = 0; k < g.count; to += panels(g.sides[k++]) * panel_size(depth))
            pack_a(g.sides[k], n, depth, to);
        for (long chunk = first; chunk < last; chunk += CHUNK) {
            const long end = min(last, chunk + CHUNK);
            pack_d(g, n, depth, chunk, end, Q(), g.total);
            const Operand* panel = P();
            for (int k = 0; k < g.count; ++k) {
                const Side& side = g.sides[k];
                for (long c = 0; c < side.K; c += COLUMNS, panel += panel_size(depth)) {
                    const auto one = of_width((min(side.K - c, COLUMNS) + W - 1) / W);
                    (multiplier.*one)(Q(), panel, depth, side.to + chunk * side.K + c, side.K, end - chunk,
                                   side.K - c, n > 0);
                }
            }
        }
    }
    multiplier.finish();
}

void scatter(const Scatter<Number>& s, int64_t first, int64_t last) {
    for (long v = 0; v < s.V; ++v) copy(s.to + v * s.M + first, nullptr, last - first);
    for (long n = 0; n < s.N; ++n) {
        float* to = s.to + s.ids[n] * s.M;
        for (long c = first; c < last; c += W) {
            const long lanes = min(W, last - c);
            store(to + c, load(to + c, lanes) + load(s.d + n * s.M + c, lanes), lanes);
        }
    }
}

}  // namespace
}  // namespace ELMAN_ISA

#define TABLE(isa) isa##_gradients
#define DEFINE(isa) const Gradients<isa::Number> TABLE(isa) = {isa::gradient, isa::scatter};
#define EXPAND(macro, isa) macro(isa)
EXPAND(DEFINE, ELMAN_ISA)

}  // namespace elman
