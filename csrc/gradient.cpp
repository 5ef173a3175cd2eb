// Products with many rows in the middle: d transposed times a. Both are packed a stretch of rows at a
// time, so that the inner loop reads them in order; the sums of a stretch stay in registers. Compiled
// once for each instruction set.
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
constexpr int MOST = W == 16 ? 4 : 2, M = ACCUMULATORS / MOST;
constexpr long BLOCK = 48;
#endif
constexpr long COLUMNS = MOST * W;
constexpr long DEPTH = TILED ? 1024 : DEEP > 1 ? 1024 : 256;  // rows n of a stretch
constexpr long CHUNK = 192;  // rows of the matrix for which d is packed at once
static_assert(CHUNK % BLOCK == 0 && BLOCK % M == 0 && BLOCK % W == 0, "whole tiles, whole vectors");

// How many lanes, one after the other, hold so many rows; beyond them operands are zero.
INLINE long deep(long rows) {
    constexpr long WHOLE = TILED ? 16 : 1;
    return (rows + WHOLE * DEEP - 1) / (WHOLE * DEEP) * WHOLE;
}

// sums [M, V*W] = Q [depth, M] transposed times P [depth, V*W], added to `to` or in its place
#if defined(__AMX_BF16__)

template <int V>
void tile(const Operand* Q, const Operand* P, long depth, float* to, long ld, long rows,
          long columns, bool add) {
    alignas(64) float apart[M * V * W];  // of a tile that is not whole
    const bool whole = rows >= M && columns >= V * W;
    const auto each_part = [&](auto use) {
        for (long m = 0; m < min(M, rows); ++m)
            for (long c = 0; c < min(V * W, columns); c += W)
                use(apart + m * V * W + c, to + m * ld + c, min(W, columns - c));
    };
    if (!whole && add)
        each_part([](float* here, const float* there, long n) { store(here, load(there, n)); });
    float* sums = whole ? to : apart;
    const long step = whole ? ld : V * W;
    shape_tiles(TILE_ROWS, TILE_ROWS);
    if (add)
        load_sums<2, V>(sums, sums + TILE_ROWS * step, step);
    else
        clear_sums<2, V>();
    const long size = TILE_ROWS * TILE_DEPTH;
    add_tiles<2, V>({{Q, Q + size}, TILE_DEPTH, 2 * size, P, V * W * DEEP, deep(depth) * DEEP}, {});
    store_sums<2, V>(sums, sums + TILE_ROWS * step, step);
    if (!whole) each_part([](const float* here, float* there, long n) { store(there, load(here), n); });
}

#else

template <int V>
void tile(const Operand* Q, const Operand* P, long depth, float* to, long ld, long rows,
          long columns, bool add) {
    vec s[M][V];
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) s[m][v] = vec{};
    for (long k = 0; k < deep(depth); ++k, P += V * W * DEEP, Q += BLOCK * DEEP) {
        vec p[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) p[v] = load((const float*)(P + v * W * DEEP));
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m) {
            vec q = spread(Q + m * DEEP);
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
            store(at, add ? load(at, n) + s[m][v] : s[m][v], n);
        }
    }
}

#endif

typedef void (*Tile)(const Operand*, const Operand*, long, float*, long, long, long, bool);

template <int V = MOST>
Tile of_width(long vectors) {
    if constexpr (V == 1)
        return tile<1>;
    else
        return vectors == V ? tile<V> : of_width<V - 1>(vectors);
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
    const long lanes = max(0, min(W, last - c));
    if (k >= end || !lanes) return vec{};
    const Operand* one = g.d + k * g.ld + c;
    return stacked(one, DEEP > 1 && k + 1 < end ? one + g.ld : nullptr, lanes);
}

// Columns first .. last of d as blocks [depth, BLOCK], or where tiles multiply them [depth / TILE_DEPTH,
// BLOCK, TILE_DEPTH]. Adds the rows to `total`, if there is one.
void pack_d(const Gradient<Number>& g, long n, long depth, long first, long last, Operand* to,
            float* total) {
    const long end = n + depth;
    for (; first < last; first += BLOCK) {
        vec s[BLOCK / W] = {};
#if defined(__AMX_BF16__)
        for (long k = n; k < end; k += TILE_DEPTH)
            for (long v = 0; v < BLOCK / W; ++v) {
                vec square[W];
                const long c = first + v * W;
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
                for (long m = 0; m < W; ++m, to += TILE_DEPTH) store((float*)to, square[m]);
            }
#else
        for (long k = n; k < end; k += DEEP)
            for (long v = 0; v < BLOCK / W; ++v, to += W * DEEP) {
                const vec both = d_lane(g, k, end, first + v * W, last);
                s[v] = s[v] + elman::ELMAN_ISA::total(both);
                store((float*)to, both);
            }
#endif
        for (long c = first; total && c < min(last, first + BLOCK); c += W) {
            const long lanes = min(W, last - c);
            store(total + c, load(total + c, lanes) + s[(c - first) / W], lanes);
        }
    }
}

// Asks for columns first .. last of d while the product of those before runs: each row lies a whole
// row of d from the next, which no hardware foresees.
void prefetch_d(const Gradient<Number>& g, long n, long first, long last) {
    for (long k = n; k < min(g.N, n + DEPTH); ++k)
        for (long m = first; m < last; m += 64 / (long)sizeof(Operand))
            __builtin_prefetch(g.d + k * g.ld + m, 0, 2);
}

void gradient(const Gradient<Number>& g, int64_t first, int64_t last) {
    const TilesInUse tiles;
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
            if (end < last)
                prefetch_d(g, n, end, min(last, end + CHUNK));
            else
                prefetch_d(g, n + DEPTH, first, min(last, first + CHUNK));
            const Operand* panel = P();
            for (int k = 0; k < g.count; ++k) {
                const Side& side = g.sides[k];
                for (long c = 0; c < side.K; c += COLUMNS, panel += panel_size(depth)) {
                    const auto one = of_width((min(side.K - c, COLUMNS) + W - 1) / W);
                    for (long m = chunk; m < end; m += M) {
                        const long block = (m - chunk) / BLOCK, within = (m - chunk) % BLOCK;
                        one(Q((block * deep(depth) * BLOCK + within) * DEEP), panel, depth,
                            side.to + m * side.K + c, side.K, end - m, side.K - c, n > 0);
                    }
                }
            }
        }
    }
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
