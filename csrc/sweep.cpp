// The sweeps themselves. Compiled once for each instruction set, with ELMAN_ISA as its name.
//
// A step is a product of h (or of the gate gradients) with R, a tile of units at a time: the sums
// of all rows and all gates of the tile are made in registers, parked in the first-level cache, and
// finished at once. Nothing here may call an inline function of the standard library: the linker
// keeps one copy for all translation units, and might keep one that this processor cannot run.
#include "sweep.h"

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
        if (!start_) std::abort();  // a few kilobytes: nothing else would run either
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
    long H, K, G, vectors, tiles;

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

    // For each vector of units of a tile and each row first .. last:
    // finish(row, first unit, lanes in use, the sums of gate 0), the gates `vectors` * W apart.
    template <class Finish>
    INLINE void finish(long tile, long first, long last, const float* sums, Finish f) const {
        for (long r = first; r < last; ++r)
            for (long v = 0; v < vectors; ++v) {
                const long unit = (tile * vectors + v) * W;
                if (unit < H) f(r, unit, min(W, H - unit), sums + (r * V() + v) * W);
            }
    }

    // Asks for a tile's columns of one [rows, H] of a matrix, `ld` apart, while the product runs:
    // they come a line at a time from rows far apart, which no hardware foresees.
    void prefetch(long tile, const float* start, long rows, long ld) const {
        const long first = tile * vectors * W, last = min(H, first + vectors * W);
        for (long r = 0; r < rows; ++r)
            for (long u = first; u < last; u += 16) __builtin_prefetch(start + r * ld + u, 0, 2);
    }

    // Packs rows of R, as forward wants them: gate g of unit u against h_k is R[g*H + u, k].
    void pack_forward(const float* R, float* to) const {
        constexpr long SPAN = 64;  // read along k, and written across it: what is written stays close
        for (long tile = 0; tile < tiles; ++tile, to += tile_size())
            for (long first = 0; first < K; first += SPAN)
                for (long g = 0; g < G; ++g)
                    for (long v = 0; v < vectors * W; ++v) {
                        const long unit = tile * vectors * W + v, end = min(K, first + SPAN);
                        const float* row = R + (g * H + unit) * K;
                        float* column = to + g * vectors * W + v;
                        for (long k = first; k < end; ++k)
                            column[k * width()] = unit < H ? row[k] : 0.0f;
                    }
    }

    // As backward wants them: gradient k of the gates against unit u is R[k, u].
    void pack_backward(const float* R, float* to) const {
        for (long tile = 0; tile < tiles; ++tile)
            for (long k = 0; k < K; ++k) {
                const long unit = tile * vectors * W, n = min(vectors * W, H - unit);
                std::memcpy(to, R + k * H + unit, (size_t)n * sizeof(float));
                std::memset(to + n, 0, (size_t)(vectors * W - n) * sizeof(float));
                to += vectors * W;
            }
    }
};

// The products of a cell: all gates at once, but where r comes before the product, n waits for it.
struct Products {
    Panels first, second;
    bool two;

    Products(Cell cell, long H, bool backward)
        : first(backward ? Panels(H, (cell == Cell::gru_reset_before ? 2 : gates(cell)) * H, 1)
                         : Panels(H, H, cell == Cell::gru_reset_before ? 2 : gates(cell))),
          second(H, H, 1),
          two(cell == Cell::gru_reset_before) {}
};

int64_t packed_size(Cell cell, int64_t H, bool backward) {
    const Products p(cell, H, backward);
    return p.first.size() + (p.two ? p.second.size() : 0);
}

void pack(Cell cell, int64_t H, bool backward, const float* R, float* to) {
    const Products p(cell, H, backward);
    const auto packing = backward ? &Panels::pack_backward : &Panels::pack_forward;
    (p.first.*packing)(R, to);
    if (p.two) (p.second.*packing)(R + 2 * H * H, to + p.first.size());
}

// ---- Time ----------------------------------------------------------------------------------

// The steps in the order of a walk, and which rows first .. last are alive in each.
struct Walk {
    const Sequence& in;
    long first, last;
    bool down;  // from the last step to the first

    long time(long s) const { return down ? in.T - 1 - s : s; }
    // One past the last row alive at the s-th step of the walk; none before and after all steps.
    long alive(long s) const {
        if (s < 0 || s >= in.T) return first;
        return max(first, min(last, in.sizes[time(s)]));
    }
    long offset(long s) const { return in.offsets[time(s)]; }
};

// ---- Forward -------------------------------------------------------------------------------

template <Cell cell>
void forward_cell(const Forward& f, long first, long last) {
    const long H = f.in.H, G = gates(cell), ld = (H + W - 1) / W * W + W;  // no power of two
    const Products products(cell, H, false);
    const Panels& panels = products.first;
    const Walk walk{f.in, first, last, f.in.reverse};
    const long rows = last - first;
    Buffer states(2 * rows * ld), c(cell == Cell::lstm ? rows * H : 0);
    Buffer sums(rows * max(panels.width(), products.second.width()));
    Buffer rh(products.two ? rows * ld : 0), update(products.two ? rows * H : 0);
    float *before = states(), *after = states(rows * ld);

    for (long s = 0; s < f.in.T; ++s) {
        const long alive = walk.alive(s) - first, offset = walk.offset(s) + first;
        for (long r = max(walk.alive(s - 1) - first, 0); r < alive; ++r) {  // these begin here
            copy(before + r * ld, f.h0 + (first + r) * H, H);
            if (cell == Cell::lstm) copy(c(r * H), f.c0 + (first + r) * H, H);
        }
        for (long tile = 0; tile < panels.tiles; ++tile) {
            for (long g = 0; g < panels.G; ++g)
                panels.prefetch(tile, f.Wx + offset * G * H + g * H, alive, G * H);
            panels.multiply(f.R, tile, 0, H, before, ld, alive, sums(), false);
            panels.finish(tile, 0, alive, sums(), [&](long r, long u, long n, const float* S) {
                float* w = f.Wx + (offset + r) * G * H + u;
                const auto Wx = [&](long g) {
                    vec a = load(w + g * H, n);
                    return f.bias ? a + load(f.bias + g * H + u, n) : a;
                };
                const auto R = [&](long g) { return load(S + g * panels.vectors * W); };
                vec h;
                if constexpr (cell == Cell::rnn_tanh) h = tanh(Wx(0) + R(0));
                if constexpr (cell == Cell::rnn_relu) h = relu(Wx(0) + R(0));
                if constexpr (cell == Cell::lstm) {
                    vec i = sigmoid(Wx(0) + R(0)), fo = sigmoid(Wx(1) + R(1));
                    vec g = tanh(Wx(2) + R(2)), o = sigmoid(Wx(3) + R(3));
                    float* at = c(r * H + u);
                    vec next = fma(fo, load(at, n), i * g);
                    store(at, next, n);
                    h = o * tanh(next);
                    if (f.store) {
                        store(w, i, n);
                        store(w + H, fo, n);
                        store(w + 2 * H, g, n);
                        store(w + 3 * H, o, n);
                        store(f.kept + (offset + r) * H + u, next, n);
                    }
                }
                if constexpr (cell == Cell::gru) {
                    vec Rn = f.bias_n ? R(2) + load(f.bias_n + u, n) : R(2);
                    vec reset = sigmoid(Wx(0) + R(0)), z = sigmoid(Wx(1) + R(1));
                    vec nn = tanh(fma(reset, Rn, Wx(2)));
                    h = fma(z, load(before + r * ld + u, n) - nn, nn);
                    if (f.store) {
                        store(w, reset, n);
                        store(w + H, z, n);
                        store(w + 2 * H, nn, n);
                        store(f.kept + (offset + r) * H + u, Rn, n);
                    }
                }
                if constexpr (cell == Cell::gru_reset_before) {
                    vec reset = sigmoid(Wx(0) + R(0)), z = sigmoid(Wx(1) + R(1));
                    vec product = reset * load(before + r * ld + u, n);
                    store(rh(r * ld + u), product, n);
                    store(update(r * H + u), z, n);
                    if (f.store) {
                        store(w, reset, n);
                        store(w + H, z, n);
                        store(f.kept + (offset + r) * H + u, product, n);
                    }
                } else {
                    store(after + r * ld + u, h, n);
                    store(f.y + (offset + r) * H + u, h, n);
                }
            });
        }
        if constexpr (cell == Cell::gru_reset_before) {
            const Panels& second = products.second;
            const float* R = f.R + panels.size();
            for (long tile = 0; tile < second.tiles; ++tile) {
                second.multiply(R, tile, 0, H, rh(), ld, alive, sums(), false);
                second.finish(tile, 0, alive, sums(), [&](long r, long u, long n, const float* S) {
                    float* w = f.Wx + (offset + r) * G * H + 2 * H + u;
                    vec a = load(w, n) + load(S);
                    vec nn = tanh(f.bias ? a + load(f.bias + 2 * H + u, n) : a);
                    vec z = load(update(r * H + u), n);
                    vec h = fma(z, load(before + r * ld + u, n) - nn, nn);
                    if (f.store) store(w, nn, n);
                    store(after + r * ld + u, h, n);
                    store(f.y + (offset + r) * H + u, h, n);
                });
            }
        }
        for (long r = max(walk.alive(s + 1) - first, 0); r < alive; ++r) {  // these end here
            copy(f.hn + (first + r) * H, after + r * ld, H);
            if (cell == Cell::lstm) copy(f.cn + (first + r) * H, c(r * H), H);
        }
        float* swap = before;
        before = after;
        after = swap;
    }
}

// ---- Backward ------------------------------------------------------------------------------

template <Cell cell>
void backward_cell(const Backward& b, long first, long last) {
    constexpr bool gated = cell == Cell::gru || cell == Cell::gru_reset_before;
    const long H = b.in.H, G = gates(cell);
    const Products products(cell, H, true);
    const Panels& panels = products.first;
    const Walk walk{b.in, first, last, !b.in.reverse};
    const long rows = last - first;
    Buffer sums(rows * panels.width());
    Buffer dc(cell == Cell::lstm ? rows * H : 0);
    Buffer direct(gated ? rows * H : 0);  // what reaches the h before by z, and not by R

    // The sums of rows from .. to of the step at `offset`: the share of dh that comes through R.
    const auto through_R = [&](long tile, long offset, long from, long to) {
        const float* d = b.dWx + (offset + from) * G * H;
        float* S = sums(from * panels.width());
        if constexpr (cell == Cell::gru) {
            const float* dRn = b.dRn + (offset + from) * H;
            panels.multiply(b.R, tile, 0, 2 * H, d, G * H, to - from, S, false);
            panels.multiply(b.R, tile, 2 * H, H, dRn, H, to - from, S, true);
        } else {
            panels.multiply(b.R, tile, 0, panels.K, d, G * H, to - from, S, false);
        }
    };

    for (long s = 0; s < b.in.T; ++s) {
        const long alive = walk.alive(s) - first, offset = walk.offset(s) + first;
        const long going = min(walk.alive(s - 1) - first, alive);  // the other rows begin here
        // Rows of the step before, in time; its h is h0 where a row was not alive there.
        const long known = walk.alive(s + 1) - first;
        const long offset_before = s + 1 < b.in.T ? walk.offset(s + 1) + first : 0;
        const auto at_before = [&](const float* all, const float* initial, long r) {
            return r < known ? all + (offset_before + r) * H : initial + (first + r) * H;
        };
        for (long r = going; r < alive; ++r) {
            if (cell == Cell::lstm) copy(dc(r * H), b.dcn ? b.dcn + (first + r) * H : nullptr, H);
            if (gated) copy(direct(r * H), nullptr, H);
        }
        for (long tile = 0; tile < panels.tiles; ++tile) {
            if (b.gates)
                for (long g = 0; g < G; ++g)
                    panels.prefetch(tile, b.gates + offset * G * H + g * H, alive, G * H);
            const float* const columns[] = {b.y, b.kept, b.dy};
            for (const float* each : columns)
                if (each) panels.prefetch(tile, each + offset * H, alive, H);
            if (going > 0) through_R(tile, walk.offset(s - 1) + first, 0, going);
            panels.finish(tile, going, alive, sums(), [&](long r, long u, long n, const float* S) {
                store((float*)S, b.dhn ? load(b.dhn + (first + r) * H + u, n) : vec{});
            });
            panels.finish(tile, 0, alive, sums(), [&](long r, long u, long n, const float* S) {
                const long at = (offset + r) * H + u, gate = (offset + r) * G * H + u;
                const float* a = b.gates + gate;
                float* d = b.dWx + gate;
                vec dh = load(S);
                if (b.dy) dh = dh + load(b.dy + at, n);
                if constexpr (cell == Cell::rnn_tanh) {
                    vec h = load(b.y + at, n);
                    store(d, dh * fma(-h, h, splat(1.0f)), n);
                }
                if constexpr (cell == Cell::rnn_relu) {
                    store(d, load(b.y + at, n) <= 0.0f ? splat(0.0f) : dh, n);
                }
                if constexpr (cell == Cell::lstm) {
                    vec i = load(a, n), f = load(a + H, n);
                    vec g = load(a + 2 * H, n), o = load(a + 3 * H, n);
                    vec t = tanh(load(b.kept + at, n));
                    vec c_before = load(at_before(b.kept, b.c0, r) + u, n);
                    vec dc_t = fma(dh * o, fma(-t, t, splat(1.0f)), load(dc(r * H + u), n));
                    store(d, dc_t * g * i * (1.0f - i), n);
                    store(d + H, dc_t * c_before * f * (1.0f - f), n);
                    store(d + 2 * H, dc_t * i * fma(-g, g, splat(1.0f)), n);
                    store(d + 3 * H, dh * t * o * (1.0f - o), n);
                    store(dc(r * H + u), dc_t * f, n);
                }
                if constexpr (gated) {
                    vec z = load(a + H, n), nn = load(a + 2 * H, n);
                    vec h = load(at_before(b.y, b.h0, r) + u, n);
                    float* past = direct(r * H + u);
                    dh = dh + load(past, n);
                    store(past, dh * z, n);
                    vec dn = dh * (1.0f - z) * fma(-nn, nn, splat(1.0f));
                    store(d + H, dh * (h - nn) * z * (1.0f - z), n);
                    store(d + 2 * H, dn, n);
                    if constexpr (cell == Cell::gru) {
                        vec reset = load(a, n);
                        store(d, dn * load(b.kept + at, n) * reset * (1.0f - reset), n);
                        store(b.dRn + at, dn * reset, n);
                    }
                }
            });
        }
        if constexpr (cell == Cell::gru_reset_before) {
            const Panels& second = products.second;
            const float* R = b.R + panels.size();
            for (long tile = 0; tile < second.tiles; ++tile) {
                second.multiply(R, tile, 0, H, b.dWx + offset * G * H + 2 * H, G * H, alive, sums(),
                                false);
                second.finish(tile, 0, alive, sums(), [&](long r, long u, long n, const float* S) {
                    const long gate = (offset + r) * G * H + u;
                    vec drh = load(S), reset = load(b.gates + gate, n);
                    float* past = direct(r * H + u);
                    store(past, fma(drh, reset, load(past, n)), n);
                    vec h = load(at_before(b.y, b.h0, r) + u, n);
                    store(b.dWx + gate, drh * h * reset * (1.0f - reset), n);
                });
            }
        }
        if (known >= alive) continue;
        // These began here in time, so what is left of their gradient is that of the first state.
        if (b.dh0)
            for (long tile = 0; tile < panels.tiles; ++tile) {
                through_R(tile, offset, known, alive);
                panels.finish(
                    tile, known, alive, sums(), [&](long r, long u, long n, const float* S) {
                        vec dh = load(S);
                        if constexpr (gated) dh = dh + load(direct(r * H + u), n);
                        store(b.dh0 + (first + r) * H + u, dh, n);
                    });
            }
        if (cell == Cell::lstm && b.dc0)
            copy(b.dc0 + (first + known) * H, dc(known * H), (alive - known) * H);
    }
}

void forward(const Forward& f, int64_t first, int64_t last) {
    switch (f.in.cell) {
        case Cell::rnn_tanh: return forward_cell<Cell::rnn_tanh>(f, first, last);
        case Cell::rnn_relu: return forward_cell<Cell::rnn_relu>(f, first, last);
        case Cell::lstm: return forward_cell<Cell::lstm>(f, first, last);
        case Cell::gru: return forward_cell<Cell::gru>(f, first, last);
        case Cell::gru_reset_before:
            return forward_cell<Cell::gru_reset_before>(f, first, last);
    }
}

void backward(const Backward& b, int64_t first, int64_t last) {
    switch (b.in.cell) {
        case Cell::rnn_tanh: return backward_cell<Cell::rnn_tanh>(b, first, last);
        case Cell::rnn_relu: return backward_cell<Cell::rnn_relu>(b, first, last);
        case Cell::lstm: return backward_cell<Cell::lstm>(b, first, last);
        case Cell::gru: return backward_cell<Cell::gru>(b, first, last);
        case Cell::gru_reset_before:
            return backward_cell<Cell::gru_reset_before>(b, first, last);
    }
}

void tanh_all(const float* x, float* to, int64_t n) {
    for (long k = 0; k < n; k += W) store(to + k, tanh(load(x + k, min(W, n - k))), min(W, n - k));
}

void sigmoid_all(const float* x, float* to, int64_t n) {
    for (long k = 0; k < n; k += W)
        store(to + k, sigmoid(load(x + k, min(W, n - k))), min(W, n - k));
}

}  // namespace
}  // namespace ELMAN_ISA

#define NAME(isa) #isa
#define KERNELS(isa) isa##_kernels
#define DEFINE(isa)                                                                       \
    const Kernels KERNELS(isa) = {NAME(isa),     isa::packed_size, isa::pack,       isa::forward, \
                                  isa::backward, isa::tanh_all,    isa::sigmoid_all};
#define EXPAND(macro, isa) macro(isa)
EXPAND(DEFINE, ELMAN_ISA)

}  // namespace elman
