// A step of a layer. Compiled once for each instruction set, with ELMAN_ISA as its name.
//
// As in sweep.cpp, nothing here may call an inline function of the standard library.
#include "stream.h"

#include <type_traits>

#include "vector.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace elman {
namespace ELMAN_ISA {
namespace {

INLINE long min(long a, long b) { return a < b ? a : b; }
INLINE long up(long a, long to) { return (a + to - 1) / to * to; }

typedef uint16_t half_vec __attribute__((vector_size(W * 2)));
typedef uint8_t byte_vec __attribute__((vector_size(W)));
typedef int16_t pair_vec __attribute__((vector_size(W * 4)));  // two 16-bit numbers a lane

INLINE ivec splat(int32_t a) { return a + ivec{}; }

template <class T>
INLINE T read(const void* p) {
    T a;
    std::memcpy(&a, p, sizeof a);
    return a;
}

INLINE vec from_half(const uint16_t* p) {
#if defined(__AVX512F__)
    return (vec)_mm512_cvtph_ps(read<__m256i>(p));
#elif defined(__F16C__)
    return (vec)_mm256_cvtph_ps(read<__m128i>(p));
#else
    const ivec bits = __builtin_convertvector(read<half_vec>(p), ivec);
    const ivec magnitude = (bits & 0x7fff) << 13, sign = (bits & 0x8000) << 16;
    // The exponent's bias is 15 there and 127 here. Denormals are read one exponent up, as
    // 2^-14 + m, and brought down by a difference: what is a denormal there is none here.
    const vec normal = (vec)(magnitude + (112 << 23));
    const vec denormal = (vec)(magnitude + (113 << 23)) - 6.103515625e-05f;
    return (vec)((ivec)(magnitude < (1 << 23) ? denormal : normal) | sign);
#endif
}

INLINE vec number(const float* p) { return load(p); }
INLINE vec number(const uint16_t* p) { return from_half(p); }

// Lane by lane the sum of four products of bytes, x without sign and w with one. Exact.
struct Bytes {
    ivec even, odd;  // of x: bytes 0 and 2, bytes 1 and 3, or all of them
};

INLINE Bytes spread(const uint8_t* x) {
    const ivec all = splat(read<int32_t>(x));
#if defined(__AVX512VNNI__)
    return {all, all};
#else
    return {all & 0x00ff00ff, (all >> 8) & 0x00ff00ff};
#endif
}

INLINE ivec multiply_pairs(ivec a, ivec b) {
#if defined(__AVX512BW__)
    return (ivec)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (ivec)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (ivec)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
    return ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
#endif
}

INLINE ivec dot(ivec sum, const Bytes& x, ivec w) {
#if defined(__AVX512VNNI__)
    return (ivec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x.even, (__m512i)w);
#else
    const ivec even = (ivec)(((pair_vec)w << 8) >> 8), odd = (ivec)((pair_vec)w >> 8);
    return sum + multiply_pairs(x.even, even) + multiply_pairs(x.odd, odd);
#endif
}

// ---- Products ------------------------------------------------------------------------------

// Adds the product of M rows with N vectors of one tile's V, from the v0-th on, to the sums s. The
// last of the G gates goes to the last of the sums if `apart`, else each goes to the sum of its
// number. Each row's sums are made in the same order for any M and N.
template <Storage storage, int G, int V, bool apart, Vector Row::*of, int M, int S, int N>
INLINE void add(const Matrix& m, long tile, long v0, const Row* rows, vec (&s)[M][S][N]) {
    constexpr long STEP = G * V * W;
    const auto at = [](int g) { return apart && g == G - 1 ? S - 1 : g; };
    if constexpr (storage != Storage::int8) {
        using Number = std::conditional_t<storage == Storage::float32, float, uint16_t>;
        const Number* w = (const Number*)m.values + tile * m.K * STEP + v0 * W;
        const float* x[M];
        for (int b = 0; b < M; ++b) x[b] = (rows[b].*of).values;
        for (long k = 0; k < m.K; ++k, w += STEP) {
            vec weight[G][N];
#pragma GCC unroll 4
            for (int g = 0; g < G; ++g)
#pragma GCC unroll 4
                for (int v = 0; v < N; ++v) weight[g][v] = number(w + (g * V + v) * W);
#pragma GCC unroll 12
            for (int b = 0; b < M; ++b) {
                const vec by = splat(x[b][k]);
#pragma GCC unroll 4
                for (int g = 0; g < G; ++g)
#pragma GCC unroll 4
                    for (int v = 0; v < N; ++v)
                        s[b][at(g)][v] = fma(by, weight[g][v], s[b][at(g)][v]);
            }
        }
    } else {
        const long K = up(m.K, 4);
        const int8_t* w = (const int8_t*)m.values + tile * K * STEP + v0 * 4 * W;
        const uint8_t* x[M];
        for (int b = 0; b < M; ++b) x[b] = (rows[b].*of).bytes;
        ivec sum[M][G][N] = {};
        for (long k = 0; k < K; k += 4, w += 4 * STEP) {
#pragma GCC unroll 12
            for (int b = 0; b < M; ++b) {
                const Bytes by = spread(x[b] + k);
#pragma GCC unroll 4
                for (int g = 0; g < G; ++g)
#pragma GCC unroll 4
                    for (int v = 0; v < N; ++v)
                        sum[b][g][v] = dot(sum[b][g][v], by, read<ivec>(w + (g * V + v) * 4 * W));
            }
        }
        const float* scale = m.scale + tile * STEP + v0 * W;
        const int32_t* zero = m.zero + tile * STEP + v0 * W;
#pragma GCC unroll 12
        for (int b = 0; b < M; ++b)
#pragma GCC unroll 4
            for (int g = 0; g < G; ++g)
#pragma GCC unroll 4
                for (int v = 0; v < N; ++v) {
                    const ivec exact = sum[b][g][v] - read<ivec>(zero + (g * V + v) * W);
                    const vec by = load(scale + (g * V + v) * W) * (rows[b].*of).scale;
                    s[b][at(g)][v] = fma(__builtin_convertvector(exact, vec), by, s[b][at(g)][v]);
                }
    }
}

// ---- Units ---------------------------------------------------------------------------------

// The paper's g: a + 0.5 where a >= 0, else sigmoid(a).
INLINE vec positive(vec a) { return a >= 0.0f ? a + 0.5f : sigmoid(a); }

// A vector of units of one row, from unit u on, once its sums are made.
template <Unit unit, int S, int N>
INLINE void finish(const Layer& l, const Row& row, long u, const vec (&s)[S][N], int v) {
    const auto give = [&](vec h) {
        if (l.zoneout > 0) h = fma(splat(l.zoneout), load(row.h.values + u) - h, h);
        store(row.h_after + u, h);
        if (row.skip) store(row.y + u, load(row.skip + u) + h);
    };
    if constexpr (unit == Unit::linear) store(row.y + u, s[0][v]);
    if constexpr (unit == Unit::rnn_tanh) give(tanh(s[0][v]));
    if constexpr (unit == Unit::rnn_relu) give(relu(s[0][v]));
    if constexpr (unit == Unit::lstm) {
        const vec i = sigmoid(s[0][v]), f = sigmoid(s[1][v]);
        const vec g = tanh(s[2][v]), o = sigmoid(s[3][v]);
        const vec before = load(row.c + u);
        vec c = fma(f, before, i * g);
        const vec h = o * tanh(c);
        if (l.zoneout > 0) c = fma(splat(l.zoneout), before - c, c);
        store(row.c + u, c);
        give(h);
    }
    if constexpr (unit == Unit::gru) {
        const vec r = sigmoid(s[0][v]), z = sigmoid(s[1][v]);
        const vec n = tanh(fma(r, s[3][v], s[2][v]));
        give(fma(z, load(row.h.values + u) - n, n));
    }
    if constexpr (unit == Unit::gru_reset_before) {
        if constexpr (S == 1) {  // the second pass
            const vec n = tanh(s[0][v]);
            give(fma(load(row.z + u), load(row.h.values + u) - n, n));
        } else {
            store(row.product + u, sigmoid(s[0][v]) * load(row.h.values + u));
            store(row.z + u, sigmoid(s[1][v]));
            store(row.n + u, s[2][v]);
        }
    }
    if constexpr (unit == Unit::mingru) {
        const vec z = sigmoid(s[0][v]), h = load(row.h.values + u);
        give(fma(z, positive(s[1][v]) - h, h));
    }
    if constexpr (unit == Unit::minlstm) {
        // f / (f + i) with numerator and denominator times e^-most / (f i), so that
        // neither overflows and not both vanish.
        const vec f = -s[0][v], i = -s[1][v], h = load(row.h.values + u);
        const vec most = at_least(at_least(splat(0.0f), f), i);
        const vec one = decay(-most), keep = one + decay(i - most);
        const vec take = one + decay(f - most);
        give(fma(keep, h, take * positive(s[2][v])) / (keep + take));
    }
}

// Pass 0 makes the sums of all gates, pass 1 that of W_n x + R_n (r * h).
template <Unit unit, Storage storage, int V, int pass, int M, int N>
INLINE void run_rows(const Layer& l, const Row* rows, long tile, long v0) {
    constexpr int S = pass ? 1 : sums(unit), GX = gates_x(unit), GH = gates_h(unit);
    const long start = (tile * V + v0) * W;
    vec s[M][S][N];
#pragma GCC unroll 12
    for (int b = 0; b < M; ++b)
#pragma GCC unroll 4
        for (int g = 0; g < S; ++g)
#pragma GCC unroll 4
            for (int v = 0; v < N; ++v) {
                const long u = start + v * W, at = g * l.width + u;
                if constexpr (pass)
                    s[b][g][v] = load(rows[b].n + u);
                else {
                    s[b][g][v] = load(l.bias + at);
                    if (g < GX && rows[b].table)
                        s[b][g][v] = s[b][g][v] + load(rows[b].table + at);
                }
            }
    if constexpr (pass)
        add<storage, 1, V, false, &Row::rh>(l.rh, tile, v0, rows, s);
    else {
        if (l.x.K) add<storage, GX, V, false, &Row::x>(l.x, tile, v0, rows, s);
        if constexpr (GH > 0) add<storage, GH, V, unit == Unit::gru, &Row::h>(l.h, tile, v0, rows, s);
    }
#pragma GCC unroll 12
    for (int b = 0; b < M; ++b)
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) finish<unit>(l, rows[b], start + v * W, s[b], v);
}

// As many rows at once as have room for their sums in registers, then half as many, then each alone.
template <Unit unit, Storage storage, int V, int pass>
INLINE void run_pass(const Layer& l, const Row* rows, long B, long first, long last) {
    constexpr int S = pass ? 1 : sums(unit);
    constexpr int N = S <= 2 ? V : 1;  // vectors of units of several rows
    constexpr int MOST = ACCUMULATORS / (S * N) < 12 ? ACCUMULATORS / (S * N) : 12, HALF = MOST / 2;
    for (long tile = first; tile < last; ++tile) {
        long b = 0;
        for (long v = 0; v < V && B >= HALF; v += N) {
            for (b = 0; b + MOST <= B; b += MOST)
                run_rows<unit, storage, V, pass, MOST, N>(l, rows + b, tile, v);
            if constexpr (HALF > 1)
                if (b + HALF <= B) {
                    run_rows<unit, storage, V, pass, HALF, N>(l, rows + b, tile, v);
                    b += HALF;
                }
        }
        for (; b < B; ++b) run_rows<unit, storage, V, pass, 1, V>(l, rows + b, tile, 0);
    }
}

template <Unit unit, Storage storage, int V>
void run_tiles(const Layer& l, const Row* rows, int64_t B, int pass, int64_t first, int64_t last) {
    if constexpr (unit == Unit::gru_reset_before)
        if (pass) return run_pass<unit, storage, V, 1>(l, rows, B, first, last);
    run_pass<unit, storage, V, 0>(l, rows, B, first, last);
}

typedef void (*Run)(const Layer&, const Row*, int64_t, int, int64_t, int64_t);

template <Unit unit, Storage storage>
INLINE Run with_vectors(long V) {
    if constexpr (sums(unit) == 1) {
        if (V == 4) return run_tiles<unit, storage, 4>;
        if (V == 3) return run_tiles<unit, storage, 3>;
    }
    return V == 2 ? run_tiles<unit, storage, 2> : run_tiles<unit, storage, 1>;
}

template <Unit unit>
INLINE Run with_storage(const Layer& l) {
    switch (l.storage) {
        case Storage::float32: return with_vectors<unit, Storage::float32>(l.V);
        case Storage::float16: return with_vectors<unit, Storage::float16>(l.V);
        default: return with_vectors<unit, Storage::int8>(l.V);
    }
}

Run chosen(const Layer& l) {
    switch (l.unit) {
        case Unit::rnn_tanh: return with_storage<Unit::rnn_tanh>(l);
        case Unit::rnn_relu: return with_storage<Unit::rnn_relu>(l);
        case Unit::lstm: return with_storage<Unit::lstm>(l);
        case Unit::gru: return with_storage<Unit::gru>(l);
        case Unit::gru_reset_before: return with_storage<Unit::gru_reset_before>(l);
        case Unit::mingru: return with_storage<Unit::mingru>(l);
        case Unit::minlstm: return with_storage<Unit::minlstm>(l);
        default: return with_storage<Unit::linear>(l);
    }
}

void run(const Layer& l, const Row* rows, int64_t B, int pass, int64_t first, int64_t last) {
    chosen(l)(l, rows, B, pass, first, last);
}

// ---- Choosing ------------------------------------------------------------------------------

typedef double dvec __attribute__((vector_size(W * 4)));
typedef uint64_t lvec __attribute__((vector_size(W * 4)));

// Cody and Waite's reduction as in `exponential`, and the series up to r^13 / 13!.
INLINE dvec decay(dvec x) {
    constexpr double series[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                 1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                                 1.0 / 120,        1.0 / 24,        1.0 / 6,        0.5,
                                 1.0,              1.0};
    const dvec to_integer = 0x1.8p52 - dvec{};  // the sum's last bit is worth 1
    const dvec rounded = x * 1.4426950408889634 + to_integer, n = rounded - to_integer;
    const dvec r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
    dvec p = series[0] - dvec{};
#pragma GCC unroll 16
    for (int k = 1; k < 14; ++k) p = p * r + series[k];
    const dvec scale = (dvec)(((lvec)rounded << 52) + (lvec)(1.0 - dvec{}));  // wraps round
    return x < -700.0 ? dvec{} : p * scale;
}

void exponentials(double* x, int64_t n) {
    constexpr long LANES = W / 2;
    for (long k = 0; k < n; k += LANES) {
        dvec a{};
        const size_t bytes = (size_t)min(LANES, n - k) * sizeof(double);
        std::memcpy(&a, x + k, bytes);
        a = decay(a);
        std::memcpy(x + k, &a, bytes);
    }
}

// ---- Packing -------------------------------------------------------------------------------

void cut(Layer& l) {
    const long all = (l.H + W - 1) / W, most = sums(l.unit) == 1 ? 4 : 2;
    l.tiles = (all + most - 1) / most;
    l.V = (all + l.tiles - 1) / l.tiles;
    l.width = l.tiles * l.V * W;
}

int64_t packed_bytes(const Layer& l, int64_t K, int64_t G) {
    const long numbers = G * l.width;
    switch (l.storage) {
        case Storage::float32: return numbers * K * 4;
        case Storage::float16: return numbers * K * 2;
        default: return numbers * up(K, 4);
    }
}

// `group` neighbours along K lie together.
template <class T, int group>
void pack_numbers(const Layer& l, int64_t K, int64_t G, const T* rows, T* to) {
    constexpr long SPAN = 64;  // read along k, and written across it: what is written stays close
    const long step = G * l.V * W * group, depth = up(K, group);
    for (long tile = 0; tile < l.tiles; ++tile, to += depth / group * step)
        for (long k0 = 0; k0 < depth; k0 += SPAN)
            for (long g = 0; g < G; ++g)
                for (long lane = 0; lane < l.V * W; ++lane) {
                    const long unit = tile * l.V * W + lane, end = min(depth, k0 + SPAN);
                    const T* row = rows + (g * l.H + unit) * K;
                    T* column = to + (g * l.V * W + lane) * group;
                    for (long k = k0; k < end; ++k)
                        column[k / group * step + k % group] = unit < l.H && k < K ? row[k] : T(0);
                }
}

void pack(const Layer& l, int64_t K, int64_t G, const void* rows, void* to) {
    switch (l.storage) {
        case Storage::float32: return pack_numbers<float, 1>(l, K, G, (const float*)rows, (float*)to);
        case Storage::float16:
            return pack_numbers<uint16_t, 1>(l, K, G, (const uint16_t*)rows, (uint16_t*)to);
        default: return pack_numbers<int8_t, 4>(l, K, G, (const int8_t*)rows, (int8_t*)to);
    }
}

float quantise(const float* values, int64_t K, uint8_t* bytes) {
    vec most{}, bad{};
    for (long k = 0; k < K; k += W) {
        const vec a = load(values + k, min(W, K - k));
        most = at_least(at_least(a, -a), most);
        bad = fma(a, splat(0.0f), bad);
    }
    float largest = 0, not_finite = 0;
    for (long lane = 0; lane < W; ++lane) {
        largest = most[lane] > largest ? most[lane] : largest;
        not_finite += bad[lane];
    }
    const vec by = splat(largest > 0 ? 127.0f / largest : 0.0f);
    const vec to_integer = splat(12582912.0f + 128.0f);  // as in `exponential`
    for (long k = 0; k < K; k += W) {
        const long n = min(W, K - k);
        const ivec rounded = (ivec)fma(load(values + k, n), by, to_integer);
        const byte_vec low = __builtin_convertvector(rounded & 0xff, byte_vec);
        std::memcpy(bytes + k, &low, (size_t)n);
    }
    for (long k = K; k < up(K, 4); ++k) bytes[k] = 0;  // its weights are zero
    return largest / 127.0f + not_finite;
}

}  // namespace
}  // namespace ELMAN_ISA

#define NAME(isa) #isa
#define STREAM(isa) isa##_stream
#define DEFINE(isa)                                                                           \
    const StreamKernels STREAM(isa) = {NAME(isa),      isa::cut,      isa::packed_bytes, isa::pack, \
                                       isa::quantise, isa::run, isa::exponentials};
#define EXPAND(macro, isa) macro(isa)
EXPAND(DEFINE, ELMAN_ISA)

}  // namespace elman
