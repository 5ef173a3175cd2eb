// Products of a few rows with a matrix that was packed for them, and small things that all kernels
// share. For the files that are compiled once for each instruction set.
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <cstdlib>

#include "blocks.h"
#include "tiles.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

INLINE long min(long a, long b) { return a < b ? a : b; }
INLINE long max(long a, long b) { return a > b ? a : b; }

// Numbers on the heap, 64-byte aligned, as long as the object lives.
template <class T = float>
class Buffer {
  public:
    explicit Buffer(long count)
        : start_((T*)std::aligned_alloc(64, ((size_t)max(count, 1) * sizeof(T) + 63) / 64 * 64)) {
        if (!start_) std::abort();  // nothing else would run either
    }
    ~Buffer() { std::free(start_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    T* operator()(long at = 0) const { return start_ + at; }

  private:
    T* start_;
};

INLINE void copy(float* to, const float* from, long n) {
    if (from)
        std::memcpy(to, from, (size_t)n * sizeof(float));
    else
        std::memset(to, 0, (size_t)n * sizeof(float));
}

// ---- The product ---------------------------------------------------------------------------

// A product of rows A [·, K], `lda` numbers apart, with a packed matrix P [K, V*W], which holds DEEP of
// its rows in each lane; beyond the last one it is zero.
struct Factors {
    const Operand* A;
    long lda;
    const Operand* P;
    long K;
    bool far = false;  // whether what follows P in memory, and is multiplied next, is to be asked for
};

// One of the blocks of rows that meet a P one after another.
struct Block {
    long first, number, all;
};

// sums [M, V*W] (+)= A P, M*V vectors of sums in registers.
template <int V, int M>
void multiply(const Factors* factors, int count, Block block, float* sums, bool add) {
    const auto sums_of = [=](int m, int v) { return m < M ? load(sums + (m * V + v) * W) : vec{}; };
    Sums s[(M + ROWS - 1) / ROWS][V];
#pragma GCC unroll 16
    for (int m = 0; m < M; m += ROWS)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v)
            s[m / ROWS][v] = add ? joined(sums_of(m, v), sums_of(m + 1, v)) : Sums{};
    for (; count > 0; --count, ++factors) {
        const long K = factors->K, lda = factors->lda;
        const Operand *A = factors->A + block.first * lda, *P = factors->P;
        const auto step = [&](long k, long left) __attribute__((always_inline)) {
            Columns p[V];
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) p[v] = load_columns(P + (k * V + v * DEEP) * W, V * DEEP * W, left);
#pragma GCC unroll 16
            for (int m = 0; m < M; m += ROWS) {
                const vec a = group(A + m * lda + k, lda, M - m, left);
#pragma GCC unroll 4
                for (int v = 0; v < V; ++v) s[m / ROWS][v] = dot(a, p[v], s[m / ROWS][v]);
            }
        };
        long k = 0;
        if (!TILED && factors->far) {
            // Its share of what follows, but at most a line a step: few rows ask for a part alone.
            const long share = V * W * (long)sizeof(Operand) / block.all;
            const char* next = (const char*)(P + K * V * W) + block.number * share * K;
            for (; k + TAKEN <= K; k += TAKEN) {
                __builtin_prefetch(next + k * share, 0, 2);
                step(k, TAKEN);
            }
        } else {
            for (; k + TAKEN <= K; k += TAKEN) step(k, TAKEN);
        }
        if (k < K) step(k, min(K - k, TAKEN - 1));  // the compiler sees that it is no whole step
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v)
            store(sums + (m * V + v) * W, parted(s[m / ROWS][v], m % ROWS));
}

typedef void (*Multiply)(const Factors*, int, Block, float*, bool);

constexpr int most_rows(int V) { return V == 1 ? 12 : ACCUMULATORS / V / ROWS * ROWS; }

template <int V, int M>
INLINE Multiply with_rows(long rows) {
    if constexpr (M == 1)
        return multiply<V, 1>;
    else
        return rows == M ? multiply<V, M> : with_rows<V, M - 1>(rows);
}

#if defined(__AMX_BF16__)

// The sums of R blocks of rows by C vectors, from `column` on: as many numbers of each factor as fill
// tiles.
template <int V, int R, int C>
void multiply_block(const Factors* factors, int count, long row, long second, long column, float* sums,
                    bool add, const Between& between) {
    float *first_sums = sums + (row * V + column) * W, *second_sums = sums + (second * V + column) * W;
    if (add)
        load_sums<R, C>(first_sums, second_sums, V * W);
    else
        clear_sums<R, C>();
    for (; count > 0; --count, ++factors)
        add_tiles<R, C>({{factors->A + row * factors->lda, factors->A + second * factors->lda},
                         factors->lda, TILE_DEPTH,
                         factors->P + column * W * DEEP,
                         V * W * DEEP,
                         factors->K / TILE_DEPTH * TILE_DEPTH}, between);
    store_sums<R, C>(first_sums, second_sums, V * W);
}

// Two blocks of rows, the second of them empty if there is no more.
template <int V>
void multiply_blocks(const Factors* factors, int count, long first, long middle, long last,
                     float* sums, bool add, const Between& between) {
    const auto block = [&](auto rows, auto columns, long row, long second, long column) {
        multiply_block<V, rows.number, columns.number>(factors, count, row, second, column, sums, add,
                                                       between);
    };
    if (last > middle && V != 3) {
        shape_tiles(middle - first, last - middle);
        block(Register<2>{}, Register<V == 1 ? 1 : 2>{}, first, middle, 0);
        if constexpr (V == 4) block(Register<2>{}, Register<2>{}, first, middle, 2);
        return;
    }
    shape_tiles(middle - first, middle - first);
    block(Register<1>{}, Register<V>{}, first, first, 0);
    if (last == middle) return;
    shape_tiles(last - middle, last - middle);
    block(Register<1>{}, Register<V>{}, middle, middle, 0);
}

// How often `between` is called for rows of V vectors.
INLINE long depths(const Factors* factors, int count, long rows, long V) {
    const long blocks = (rows + TILE_ROWS - 1) / TILE_ROWS;
    const long each = V == 3 ? blocks : V == 4 ? (blocks + 1) / 2 + blocks / 2 : (blocks + 1) / 2;
    long all = 0;
    for (int k = 0; k < count; ++k) all += factors[k].K / TILE_DEPTH;
    return all * each;
}

#endif

// sums [rows, V*W] (+)= the sum of one or two products, with one pass over the rows. Before each block of
// them, meanwhile(its first, its last row).
template <int V, class Meanwhile>
void pass_rows(const Factors* factors, int count, long rows, float* sums, bool add,
               const Meanwhile& meanwhile, [[maybe_unused]] const Between& between = {}) {
#if defined(__AMX_BF16__)
    bool tiled = false;
    Factors rest[2];
    int left = 0;
    for (int k = 0; k < count; ++k) {
        const Factors& f = factors[k];
        const long whole = f.K / TILE_DEPTH * TILE_DEPTH;
        tiled |= whole > 0;
        if (whole < f.K) rest[left++] = {f.A + whole, f.lda, f.P + whole * V * W, f.K - whole};
    }
    for (long i = 0, all = (rows + TILE_ROWS - 1) / TILE_ROWS; i < all; i += 2) {
        const long first = rows * i / all, middle = rows * (i + 1) / all;
        const long last = rows * min(i + 2, all) / all;
        meanwhile(first, last);
        if (tiled) multiply_blocks<V>(factors, count, first, middle, last, sums, add, between);
    }
    if (!left) return;
    factors = rest, count = left, add |= tiled;
#endif
    const long blocks = (rows + most_rows(V) - 1) / most_rows(V), groups = (rows + ROWS - 1) / ROWS;
    for (long i = 0; i < blocks; ++i) {
        const long first = groups * i / blocks * ROWS;
        const long last = min(rows, groups * (i + 1) / blocks * ROWS);
        if (!TILED) meanwhile(first, last);
        const auto block = with_rows<V, most_rows(V)>(last - first);
        block(factors, count, {first, i, blocks}, sums + first * V * W, add);
    }
}

// As pass_rows, in as many passes as are best: one by tiles, which wait for no cache but the second.
template <int V, class Meanwhile>
void multiply_rows(const Factors* factors, int count, long rows, float* sums, bool add,
                   const Meanwhile& meanwhile, const Between& between) {
    constexpr long DEPTH = 256 * DEEP;  // so much of a panel stays close while all rows pass by it
    long all = 0;
    for (int k = 0; k < count; ++k) all += factors[k].K;
    if (TILED || all <= DEPTH) return pass_rows<V>(factors, count, rows, sums, add, meanwhile, between);
    for (bool begun = false; count > 0; --count, ++factors)
        for (long k = 0; k < factors->K; k += DEPTH) {
            const Factors part{factors->A + k, factors->lda, factors->P + k * V * W,
                               min(DEPTH, factors->K - k), factors->far};
            if (begun)
                pass_rows<V>(&part, 1, rows, sums, true, [](long, long) {});
            else
                pass_rows<V>(&part, 1, rows, sums, add, meanwhile);
            begun = true;
        }
}

// The cache that is to hold what is asked for: the second while a product runs, the first just before
// it is read. The values are those of the compiler's prefetch.
enum class Near : int { second = 2, first = 3 };

// Intel's processors, and AMD's from family 26 (Zen 5) on, wait less for a matrix that is asked for ahead of its
// turn; on Zen 4 asking cost 5 to 15 %.
INLINE bool gains_by_asking() {
#if defined(__x86_64__)
    static const bool gains = [] {
        unsigned a = 0, b, c, d;
        if (__builtin_cpu_is("intel")) return true;
        if (!__builtin_cpu_is("amd") || !__get_cpuid(1, &a, &b, &c, &d)) return false;
        return (a >> 8 & 15) + (a >> 20 & 255) >= 26;
    }();
    return gains;
#else
    return false;
#endif
}

// Whether a packed matrix of so many bytes is asked for ahead of its turn: on a processor that gains by it, from
// a size on that was found by measuring. Tiles lose by it.
constexpr long ASKED_FOR_BYTES = 768 << 10;
INLINE bool is_far([[maybe_unused]] long bytes) {
    return !TILED && bytes >= ASKED_FOR_BYTES && gains_by_asking();
}

// How a matrix of G gates by H units lies in tiles of `vectors` * W units:
// [tile, K / DEEP, G, vectors, W, DEEP].
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
    long tile_size() const { return (K + DEEP - 1) / DEEP * DEEP * width(); }
    long size() const { return tiles * tile_size(); }

    // Rows k0 .. k0 + depth of tile `tile` of a packed P, to be met by A; k0 is even.
    Factors factors(const Operand* P, long tile, long k0, long depth, const Operand* A,
                    long lda) const {
        return {A, lda, P + tile * tile_size() + k0 * width(), depth,
                is_far(size() * (long)sizeof(Operand))};
    }

    // As multiply_rows.
    template <class Meanwhile>
    void multiply(const Factors* factors, int count, long rows, float* sums, bool add,
                  const Meanwhile& meanwhile, const Between& between = {}) const {
        switch (V()) {
            case 1: return multiply_rows<1>(factors, count, rows, sums, add, meanwhile, between);
            case 2: return multiply_rows<2>(factors, count, rows, sums, add, meanwhile, between);
            case 3: return multiply_rows<3>(factors, count, rows, sums, add, meanwhile, between);
            default: return multiply_rows<4>(factors, count, rows, sums, add, meanwhile, between);
        }
    }
    void multiply(const Factors& factors, long rows, float* sums, const Between& between = {}) const {
        multiply(&factors, 1, rows, sums, false, [](long, long) {}, between);
    }

    // For each vector of units of a tile and each of the first rows:
    // finish(row, first unit, lanes in use, where the sums of gate 0 lie), the gates `gap()` apart.
    template <class Finish>
    INLINE void finish(long tile, long rows, Finish f) const {
        finish(tile, 0, rows * vectors, f);
    }

    // The same while along(between) multiplies, by calls of `between` if there are tiles, else before it.
    // `calls`: how many there will be.
    template <class Finish, class Along>
    INLINE void finish(long tile, long rows, Finish f, long calls, const Along& along) const {
        struct Left {
            const Panels& panels;
            Finish& f;
            long tile, next, end;
        } left{*this, f, tile, 0, rows * vectors};
        const auto work = [](void* context, long portion) {
            Left& left = *(Left*)context;
            const long next = min(left.next + portion, left.end);
            const Panels panels = left.panels;  // copies: stores might change what lies in memory
            Finish f = left.f;
            panels.finish(left.tile, left.next, next, f);
            left.next = next;
        };
        if (TILED && calls > 0) along(Between{work, &left, (left.end + calls - 1) / calls});
        work(&left, left.end);
        if (!TILED || !calls) along(Between{});
    }

    long gap() const { return vectors * W; }

    // Vectors first .. last of a tile, those of a row after those of the row before.
    template <class Finish>
    INLINE void finish(long tile, long first, long last, Finish& f) const {
        for (long r = first / vectors, v = first % vectors; first < last; ++first) {
            const long unit = (tile * vectors + v) * W;
            if (unit + W <= H)
                f(r, unit, W, (r * V() + v) * W);  // W is known: no lane is counted
            else if (unit < H)
                f(r, unit, H - unit, (r * V() + v) * W);
            if (++v == vectors) v = 0, ++r;
        }
    }

    // Asks for a tile's columns of rows row .. end of a matrix, `ld` apart, `each` for a unit: they come
    // a line at a time from rows far apart, which no hardware foresees.
    template <Near near, bool to_write = false, class T>
    INLINE void prefetch(long tile, const T* start, long row, long end, long ld,
                         long each = 1) const {
        const long first = tile * vectors * W * each, last = min(ld, first + vectors * W * each);
        for (long r = row; r < end; ++r)
            for (long u = first; u < last; u += 64 / (long)sizeof(T))
                __builtin_prefetch(start + r * ld + u, to_write, (int)near);
    }

    // Packs tiles of a matrix as forward wants them: gate g of unit u against h_k is R[g*H + u, k].
    void pack_forward(const float* R, Operand* to, long first, long last) const {
        to += first * tile_size();
        for (long tile = first; tile < last; ++tile, to += tile_size())
            for (long k = 0; k < K; k += W * DEEP)
                for (long g = 0; g < G; ++g)
                    for (long v = 0; v < vectors; ++v) {
                        const long unit = (tile * vectors + v) * W, depth = min(W * DEEP, K - k);
                        vec square[W];  // a row for each unit, then one for each lane of k
                        const float* rows = R + (g * H + unit) * K + k;
                        Operand* columns = to + k * width() + (g * vectors + v) * W * DEEP;
                        const bool whole = unit + W <= H && depth == W * DEEP;
#pragma GCC unroll 16
                        for (long u = 0; u < W; ++u)
                            square[u] = whole          ? lanes(rows + u * K, W * DEEP)
                                        : unit + u < H ? lanes(rows + u * K, depth)
                                                       : vec{};
                        transpose(square);
#pragma GCC unroll 16
                        for (long d = 0; d < W; ++d)
                            if (d * DEEP < depth)
                                store((float*)(columns + d * DEEP * width()), square[d]);
                    }
    }

    // As backward wants them: gradient k of the gates against unit u is R[k, u].
    void pack_backward(const float* R, Operand* to, long first, long last) const {
        to += first * tile_size();
        for (long tile = first; tile < last; ++tile)
            for (long k = 0; k < K; k += DEEP)
                for (long v = 0; v < vectors; ++v, to += W * DEEP) {
                    const long unit = (tile * vectors + v) * W, n = max(0, min(W, H - unit));
                    const float* rows = R + k * H + unit;
                    store((float*)to,
                          stacked(load(rows, n), k + 1 < K ? load(rows + H, n) : vec{}));
                }
    }
};

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
