// Products of a few rows with a matrix that was packed for them, and small things that all kernels
// share. For the files that are compiled once for each instruction set.
#pragma once

#include <cstdlib>

#include "vector.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

INLINE long min(long a, long b) { return a < b ? a : b; }
INLINE long max(long a, long b) { return a > b ? a : b; }

// Floats on the heap, 64-byte aligned, as long as the object lives.
class Buffer {
  public:
    explicit Buffer(long floats)
        : start_((float*)std::aligned_alloc(64, (size_t)(max(floats, 1) + 15) / 16 * 64)) {
        if (!start_) std::abort();  // nothing else would run either
    }
    ~Buffer() { std::free(start_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    float* operator()(long at = 0) const { return start_ + at; }

  private:
    float* start_;
};

INLINE void copy(float* to, const float* from, long n) {
    if (from)
        std::memcpy(to, from, (size_t)n * sizeof(float));
    else
        std::memset(to, 0, (size_t)n * sizeof(float));
}

// ---- The product ---------------------------------------------------------------------------

// sums [M, V*W] (+)= A [M, K] P [K, V*W], M*V vectors of sums in registers.
template <int V, int M>
void multiply(const float* A, long lda, const float* P, long K, float* sums, bool add) {
    vec s[M][V];
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) s[m][v] = add ? load(sums + (m * V + v) * W) : vec{};
    for (long k = 0; k < K; ++k, P += V * W) {
        vec p[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) p[v] = load(P + v * W);
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m) {
            vec a = splat(A[m * lda + k]);
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) s[m][v] = fma(a, p[v], s[m][v]);
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) store(sums + (m * V + v) * W, s[m][v]);
}

typedef void (*Multiply)(const float*, long, const float*, long, float*, bool);

constexpr int most_rows(int V) { return V == 1 ? 12 : ACCUMULATORS / V; }

template <int V, int M>
INLINE Multiply with_rows(long rows) {
    if constexpr (M == 1)
        return multiply<V, 1>;
    else
        return rows == M ? multiply<V, M> : with_rows<V, M - 1>(rows);
}

template <int V>
void multiply_rows(const float* A, long lda, long rows, const float* P, long K, float* sums,
                   bool add) {
    constexpr long DEPTH = 256;  // so much of a panel stays close while all rows pass by it
    const long blocks = (rows + most_rows(V) - 1) / most_rows(V);
    for (long k = 0; k < K; k += DEPTH)
        for (long i = 0; i < blocks; ++i) {
            const long first = rows * i / blocks, last = rows * (i + 1) / blocks;
            with_rows<V, most_rows(V)>(last - first)(A + first * lda + k, lda, P + k * V * W,
                                                     min(DEPTH, K - k), sums + first * V * W,
                                                     add || k > 0);
        }
}

// How a matrix of G gates by H units lies in tiles of `vectors` * W units: [tile, K, G, vectors, W].
struct Panels {
    long H = 0, K = 0, G = 0, vectors = 0, tiles = 0;

    Panels() = default;
    Panels(long H, long K, long G) : H(H), K(K), G(G) {
        const long all = (H + W - 1) / W, most = G == 1 ? 4 : G == 2 ? 2 : 1;
        tiles = (all + most - 1) / most;
        vectors = (all + tiles - 1) / tiles;
    }
    long V() const { return G * vectors; }
    long width() const { return V() * W; }  // floats in a row of sums
    long tile_size() const { return K * width(); }
    long size() const { return tiles * tile_size(); }

    // sums [rows, V*W] (+)= A [rows, depth] · rows k0 .. k0 + depth of tile `tile`
    void multiply(const float* P, long tile, long k0, long depth, const float* A, long lda,
                  long rows, float* sums, bool add) const {
        P += tile * tile_size() + k0 * width();
        switch (V()) {
            case 1: return multiply_rows<1>(A, lda, rows, P, depth, sums, add);
            case 2: return multiply_rows<2>(A, lda, rows, P, depth, sums, add);
            case 3: return multiply_rows<3>(A, lda, rows, P, depth, sums, add);
            default: return multiply_rows<4>(A, lda, rows, P, depth, sums, add);
        }
    }

    // For each vector of units of a tile and each of the first rows:
    // finish(row, first unit, lanes in use, where the sums of gate 0 lie), the gates `gap()` apart.
    template <class Finish>
    INLINE void finish(long tile, long rows, Finish f) const {
        for (long r = 0; r < rows; ++r)
            for (long v = 0; v < vectors; ++v) {
                const long unit = (tile * vectors + v) * W;
                if (unit + W <= H)
                    f(r, unit, W, (r * V() + v) * W);  // W is known: no lane is counted
                else if (unit < H)
                    f(r, unit, H - unit, (r * V() + v) * W);
            }
    }
    long gap() const { return vectors * W; }

    // Asks for a tile's columns of one [rows, H] of a matrix, `ld` apart, while the product runs:
    // they come a line at a time from rows far apart, which no hardware foresees.
    template <bool to_write = false>
    void prefetch(long tile, const float* start, long rows, long ld) const {
        const long first = tile * vectors * W, last = min(H, first + vectors * W);
        for (long r = 0; r < rows; ++r)
            for (long u = first; u < last; u += 16)
                __builtin_prefetch(start + r * ld + u, to_write, 2);
    }

    // Packs tiles of a matrix as forward wants them: gate g of unit u against h_k is R[g*H + u, k].
    void pack_forward(const float* R, float* to, long first, long last) const {
        to += first * tile_size();
        for (long tile = first; tile < last; ++tile, to += tile_size())
            for (long k = 0; k < K; k += W)
                for (long g = 0; g < G; ++g)
                    for (long v = 0; v < vectors; ++v) {
                        const long unit = (tile * vectors + v) * W, depth = min(W, K - k);
                        vec square[W];  // a row for each unit, then one for each k
                        const float* rows = R + (g * H + unit) * K + k;
                        float* columns = to + k * width() + (g * vectors + v) * W;
                        const bool whole = unit + W <= H && depth == W;
#pragma GCC unroll 16
                        for (long u = 0; u < W; ++u)
                            square[u] = whole          ? load(rows + u * K)
                                        : unit + u < H ? load(rows + u * K, depth)
                                                       : vec{};
                        transpose(square);
#pragma GCC unroll 16
                        for (long d = 0; d < W; ++d)
                            if (d < depth) store(columns + d * width(), square[d]);
                    }
    }

    // As backward wants them: gradient k of the gates against unit u is R[k, u].
    void pack_backward(const float* R, float* to, long first, long last) const {
        to += first * tile_size();
        for (long tile = first; tile < last; ++tile)
            for (long k = 0; k < K; ++k) {
                const long unit = tile * vectors * W, n = min(vectors * W, H - unit);
                std::memcpy(to, R + k * H + unit, (size_t)n * sizeof(float));
                std::memset(to + n, 0, (size_t)(vectors * W - n) * sizeof(float));
                to += vectors * W;
            }
    }
};

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
