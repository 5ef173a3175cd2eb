// One product with many rows in the middle: d transposed times a. Both are packed a stretch of rows
// at a time, so that the inner loop reads them in order; the sums of a stretch stay in registers.
// Compiled once for each instruction set.
#include "gradient.h"

#include "panels.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

constexpr int MOST = W == 16 ? 4 : 2, M = ACCUMULATORS / MOST;  // a tile: M rows, V <= MOST vectors
constexpr long COLUMNS = MOST * W;
constexpr long DEPTH = 256;      // rows n of a stretch
constexpr long CHUNK = 32 * M;   // rows of the matrix for which d is packed at once

// sums [M, V*W] = Q [depth, M] transposed times P [depth, V*W], added to `to` or in its place
template <int V>
void tile(const float* Q, const float* P, long depth, float* to, long ld, long rows, long columns,
          bool add) {
    vec s[M][V];
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) s[m][v] = vec{};
    for (long k = 0; k < depth; ++k, P += V * W, Q += M) {
        vec p[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) p[v] = load(P + v * W);
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m) {
            vec q = splat(Q[m]);
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) s[m][v] = fma(q, p[v], s[m][v]);
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

typedef void (*Tile)(const float*, const float*, long, float*, long, long, long, bool);

template <int V = MOST>
Tile of_width(long vectors) {
    if constexpr (V == 1)
        return tile<1>;
    else
        return vectors == V ? tile<V> : of_width<V - 1>(vectors);
}

// Rows n of a, `depth` of them, as panels [depth, COLUMNS]; the last may be fewer vectors wide.
void pack_a(const Gradient& g, long n, long depth, float* to) {
    for (long first = 0; first < g.K; first += COLUMNS) {
        const long columns = min(COLUMNS, g.K - first), width = (columns + W - 1) / W * W;
        for (long k = 0; k < depth; ++k, to += width) {
            copy(to, g.a[n + k] + first, columns);
            if (columns < width) copy(to + columns, nullptr, width - columns);
            if (g.mask)
                for (long c = 0; c < columns; ++c) to[c] *= g.mask[n + k][first + c];
        }
    }
}

// Columns first .. last of d as blocks [depth, M].
void pack_d(const Gradient& g, long n, long depth, long first, long last, float* to) {
    for (; first + M <= last; first += M)
        for (long k = 0; k < depth; ++k, to += M)
            std::memcpy(to, g.d + (n + k) * g.ld + first, M * sizeof(float));
    if (first == last) return;
    for (long k = 0; k < depth; ++k, to += M) {
        copy(to, g.d + (n + k) * g.ld + first, last - first);
        copy(to + last - first, nullptr, first + M - last);
    }
}

// Asks for columns first .. last of d while the product of those before runs: each row lies a whole
// row of d from the next, which no hardware foresees.
void prefetch_d(const Gradient& g, long n, long first, long last) {
    for (long k = n; k < min(g.N, n + DEPTH); ++k)
        for (long m = first; m < last; m += 16) __builtin_prefetch(g.d + k * g.ld + m, 0, 2);
}

// Adds the rows of blocks [depth, M], as `pack_d` leaves them, to `total`.
void add_rows(const float* blocks, long depth, long columns, float* total) {
    static_assert(3 * W % M == 0, "whole rows in 3 vectors");
    constexpr long TOGETHER = 3 * W / M;  // whole rows in 3 vectors
    for (; columns > 0; columns -= M, total += M, blocks += depth * M) {
        vec s[3] = {};
        long k = 0;
        for (; k + TOGETHER <= depth; k += TOGETHER)
            for (int v = 0; v < 3; ++v) s[v] = s[v] + load(blocks + k * M + v * W);
        float sums[3 * W];
        for (int v = 0; v < 3; ++v) store(sums + v * W, s[v]);
        for (long m = 0; m < min(M, columns); ++m) {
            for (long row = 0; row < TOGETHER; ++row) total[m] += sums[row * M + m];
            for (long row = k; row < depth; ++row) total[m] += blocks[row * M + m];
        }
    }
}

void gradient(const Gradient& g, int64_t first, int64_t last) {
    const long panels = (g.K + COLUMNS - 1) / COLUMNS;
    Buffer P(panels * COLUMNS * DEPTH), Q(CHUNK * DEPTH);
    if (g.total) copy(g.total + first, nullptr, last - first);
    for (long n = 0; n < g.N; n += DEPTH) {
        const long depth = min(DEPTH, g.N - n);
        pack_a(g, n, depth, P());
        for (long chunk = first; chunk < last; chunk += CHUNK) {
            const long end = min(last, chunk + CHUNK);
            pack_d(g, n, depth, chunk, end, Q());
            if (end < last)
                prefetch_d(g, n, end, min(last, end + CHUNK));
            else
                prefetch_d(g, n + DEPTH, first, min(last, first + CHUNK));
            if (g.total) add_rows(Q(), depth, end - chunk, g.total + chunk);
            for (long panel = 0; panel < panels; ++panel) {
                const long left = g.K - panel * COLUMNS;
                const auto one = of_width((min(left, COLUMNS) + W - 1) / W);
                for (long m = chunk; m < end; m += M)
                    one(Q((m - chunk) * depth), P(panel * COLUMNS * depth), depth,
                        g.to + m * g.K + panel * COLUMNS, g.K, end - m, left, n > 0);
            }
        }
    }
}

}  // namespace
}  // namespace ELMAN_ISA

#define TABLE(isa) isa##_gradients
#define DEFINE(isa) const Gradients TABLE(isa) = {isa::gradient};
#define EXPAND(macro, isa) macro(isa)
EXPAND(DEFINE, ELMAN_ISA)

}  // namespace elman
