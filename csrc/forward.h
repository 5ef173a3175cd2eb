// The forward sweep of every cell.
#pragma once

#include "norm.h"
#include "walk.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

// zoneout: the old value, for the share that is kept of it; exact where that is 0 or 1
INLINE vec zone(vec keep, vec old, vec fresh) { return fma(keep, old, (1.0f - keep) * fresh); }

template <Cell cell>
class ForwardSweep {
  public:
    ForwardSweep(const Forward<Number>& f, long first, long last)
        : f(f),
          first(first),
          rows(last - first),
          walk{f.in, first, last, f.in.reverse},
          recurrent(cell, H, H, false),
          input(f.x ? Products(cell, H, f.I, false) : Products()),
          h_(2 * rows * ld),
          fed_(separate ? 2 * rows * ld : 0),
          c_(cell == Cell::lstm ? rows * H : 0),
          rh_(two ? rows * ld : 0),
          z_(two ? rows * H : 0),
          no_bias(G * H),
          bias_(f.bias ? f.bias : no_bias()),
          bias_n_(f.bias_n ? f.bias_n : no_bias()) {
        copy(no_bias(), nullptr, G * H);
        for (long r = 0; r < walk.alive(0); ++r) begin(r, 0, H, h(0), fed(0));
    }

    void run() {
        const long size = sums_size(f.inside.norm != nullptr);
        Buffer<> both(TILED ? 2 * size : size);
        const auto sums = [&](long tile) { return both(TILED ? tile % 2 * size : 0); };
        for (long s = 0; s < f.in.T; ++s)
            for (int stage = 0; stage < recurrent.count; ++stage) {
                if (f.inside.norm) {
                    normed(s, stage, both());
                    continue;
                }
                const long tiles = recurrent[stage].tiles;
                multiply(s, stage, 0, sums(0));
                for (long tile = 0; tile < tiles; ++tile)
                    finish(s, stage, tile, sums(tile), tile + 1 < tiles ? sums(tile + 1) : nullptr);
            }
        settle();
    }

    void join() {
        Buffer<> sums(sums_size(false));
        const long tiles = recurrent.tiles();
        for (long k; (k = tickets.take()) < f.in.T * tiles; tickets.finish()) {
            const long s = k / tiles, t = k % tiles, first_tiles = recurrent[0].tiles;
            const int stage = t >= first_tiles;
            tickets.wait_for(s * tiles + (stage ? first_tiles : 0));
            multiply(s, stage, t - stage * first_tiles, sums());
            finish(s, stage, t - stage * first_tiles, sums());
        }
        settle();
    }

  private:
    static constexpr bool two = cell == Cell::gru_reset_before;
    static constexpr long G = gates(cell);
    static constexpr long FAR_BYTES = TILED ? 4 << 20 : 12 << 20;
    // Whether a step wants the h before as it is, not only as an operand.
    static constexpr bool needs_h = DEEP == 1 || cell == Cell::gru || two;

    // Sums of a tile: those of R, and where W x must stay apart from them, those of W.
    long sums_size(bool whole) const {
        const long tile = rows * recurrent.width();
        return (whole ? rows * G * H : 0) + 2 * tile;
    }

    // r multiplies R_n h alone, and layer norm acts on R h alone.
    bool joined() const { return f.x && cell != Cell::gru && !f.inside.norm; }

    float* h(long s) { return h_((s & 1) * rows * ld); }
    Operand* fed(long s) {
        if constexpr (DEEP == 1)
            if (!separate) return h(s);
        return fed_((s & 1) * rows * ld);
    }
    const Operand* operand(long s, int stage) { return stage ? rh_() : fed(s); }

    void begin(long r, long u, long n, float* h, Operand* fed) {
        copy(h + r * ld + u, f.h0 + (first + r) * H + u, n);
        for (long k = u; separate && k < u + n; k += W) {
            const long lanes = min(W, u + n - k);
            vec fresh = load(h + r * ld + k, lanes);
            if (f.inside.mask) fresh = fresh * load(f.inside.mask + (first + r) * H + k, lanes);
            store(fed + r * ld + k, fresh, lanes);
        }
        if (cell == Cell::lstm) copy(c_(r * H + u), f.c0 + (first + r) * H + u, n);
    }

    void multiply(long s, int stage, long tile, float* sums, const Between& between = {}) {
        const Panels& panels = recurrent[stage];
        const long alive = walk.alive(s);
        const auto meanwhile = [&](long row, long end) {
            prefetch<Near::second>(s, stage, tile, row, end);
        };
        Factors both[2];
        int count = 0;
        if (f.x) {
            both[count++] = input_factors(s, stage, tile);
            if (!joined())
                input[stage].multiply(both[--count], alive, sums + rows * panels.width(), between);
        }
        both[count++] = recurrent_factors(s, stage, tile);
        panels.multiply(both, count, alive, sums, false, meanwhile, between);
    }
    // How often that calls `between`.
    long calls([[maybe_unused]] long s, [[maybe_unused]] int stage) const {
#if defined(__AMX_BF16__)
        const Panels& panels = recurrent[stage];
        const Factors both[2] = {{nullptr, 0, nullptr, H}, {nullptr, 0, nullptr, f.x ? f.I : 0}};
        return depths(both, 2, walk.alive(s), panels.V());
#else
        return 0;
#endif
    }

    Factors input_factors(long s, int stage, long tile) const {
        return input[stage].factors(f.W + (stage ? input[0].size() : 0), tile, 0, f.I,
                                    f.x + walk.offset(s) * f.I, f.I);
    }
    Factors recurrent_factors(long s, int stage, long tile) {
        return recurrent[stage].factors(f.R + (stage ? recurrent[0].size() : 0), tile, 0, H,
                                        operand(s, stage), ld);
    }

    // What rows row .. end of a tile will read and write.
    template <Near near>
    INLINE void prefetch(long s, int stage, long tile, long row, long end) const {
        const Panels& panels = recurrent[stage];
        const long offset = walk.offset(s), gate = stage ? 2 : 0;
        if (!f.x && !f.ids)
            for (long g = gate; g < gate + panels.G; ++g)
                panels.prefetch<near>(tile, f.Wx + offset * G * H + g * H, row, end, G * H);
        if (f.gates && !far)
            panels.prefetch<near, true>(tile, f.gates + offset * all_gates, row, end, all_gates, G);
        if (f.kept) panels.prefetch<near, true>(tile, f.kept + offset * H, row, end, H);
        panels.prefetch<near, true>(tile, f.y + offset * H, row, end, H);
    }

    // A stage of a step with layer norm: every R h is there before any gate is finished.
    void normed(long s, int stage, float* whole) {
        const Panels& panels = recurrent[stage];
        const long alive = walk.alive(s), offset = walk.offset(s), gate = stage ? 2 : 0;
        float* sums = whole + rows * G * H;
        for (long tile = 0; tile < panels.tiles; ++tile) {
            panels.multiply(recurrent_factors(s, stage, tile), alive, sums);
            panels.finish(tile, alive, [&](long r, long u, long n, long at) {
                for (long g = 0; g < panels.G; ++g)
                    store(whole + (r * G + gate + g) * H + u, load(sums + at + g * panels.gap()), n);
            });
        }
        const Norm norm{H, G, gate, gate + panels.G};
        norm.forward(whole, G * H, alive, f.inside.norm,
                     f.normed ? f.normed + offset * G * H : nullptr,
                     f.scale ? f.scale + offset * G : nullptr);
        for (long tile = 0; tile < panels.tiles; ++tile) {
            if (f.x)
                input[stage].multiply(input_factors(s, stage, tile), alive,
                                      sums + rows * panels.width());
            finish_normed(s, stage, tile, sums, whole);
        }
    }

    void finish_normed(long s, int stage, long tile, float* sums, const float* whole) {
        const Panels& panels = recurrent[stage];
        const long gate = stage ? 2 : 0;
        panels.finish(tile, walk.alive(s), [&](long r, long u, long n, long at) {
            for (long g = 0; g < panels.G; ++g)
                store(sums + at + g * panels.gap(), load(whole + (r * G + gate + g) * H + u, n));
        });
        finish(s, stage, tile, sums);
    }

    // Where W x lies: in the sums of R, in sums of its own, or in rows.
    enum class Source { joined, apart, rows };

    // The cell itself: from the sums of a tile to its h. Meanwhile those of the next are made, if `ahead` is
    // where they go.
    void finish(long s, int stage, long tile, const float* sums, float* ahead = nullptr) {
        const Inside& in = f.inside;
        const bool plain = !in.mask && !in.keep_h;
        if (!f.x)
            plain ? compute<Source::rows, true>(s, stage, tile, sums, ahead)
                  : compute<Source::rows, false>(s, stage, tile, sums, ahead);
        else if (joined())
            plain ? compute<Source::joined, true>(s, stage, tile, sums, ahead)
                  : compute<Source::joined, false>(s, stage, tile, sums, ahead);
        else
            plain ? compute<Source::apart, true>(s, stage, tile, sums, ahead)
                  : compute<Source::apart, false>(s, stage, tile, sums, ahead);
        begin_next(s, stage, tile);
    }

    // Pointers are copied first: after a store of floats the compiler would read them again.
    template <Source source, bool plain>
    void compute(long s, int stage, long tile, const float* sums, float* ahead) {
        const Panels panels = recurrent[stage];
        const long alive = walk.alive(s), going = walk.alive(s + 1), offset = walk.offset(s);
        const long H = this->H, ld = this->ld, first = this->first, keep_step = f.inside.keep_step;
        const long all_gates = this->all_gates;
        const long gap = panels.gap(), gate = stage ? 2 : 0;
        const float* apart = sums + rows * panels.width();
        const float *before = h(s), *mask = f.inside.mask, *keep_h = f.inside.keep_h;
        const float *keep_c = f.inside.keep_c, *Wx_rows = f.Wx, *bias = bias_, *bias_n = bias_n_;
        const int64_t* ids = f.ids;
        Operand *fed_after = fed(s + 1), *y = f.y, *met = f.met, *rh = rh_();
        float *after = h(s + 1), *hn = f.hn, *cn = f.cn, *all_kept = f.kept, *all_c = f.c;
        float *c_now = c_(), *z_now = z_();
        Saved* gates = f.gates;
        const bool separate = this->separate, far = this->far;
        const auto cell_of = [=](long r, long u, long n, long at) __attribute__((always_inline)) {
            const long row = offset + r;
            const float* w = source == Source::rows
                                 ? Wx_rows + (ids ? ids[row] : row) * G * H + u
                                 : apart + at - gate * gap;
            const auto Wx = [&](long g) {
                vec b = load(bias + g * H + u, n);
                if constexpr (source == Source::rows) b = b + load(w + g * H, n);
                if constexpr (source == Source::apart) b = b + load(w + g * gap);
                return b;
            };
            const auto R = [&](long g) { return load(sums + at + (g - gate) * gap); };
            Saved* a = gates ? gates + row * all_gates + u * G : nullptr;
            float* kept = all_kept ? all_kept + row * H + u : nullptr;
            const auto old_h = [&] { return load(before + r * ld + u, n); };
            vec h;
            if constexpr (cell == Cell::rnn_tanh || cell == Cell::rnn_relu) {
                h = Wx(0) + R(0);
                h = cell == Cell::rnn_tanh ? tanh(h) : relu(h);
                if (a) store(a, h);
            }
            if constexpr (cell == Cell::lstm) {
                vec i = sigmoid(Wx(0) + R(0)), fo = sigmoid(Wx(1) + R(1));
                vec g = tanh(Wx(2) + R(2)), o = sigmoid(Wx(3) + R(3));
                vec c = load(c_now + r * H + u, n), next = fma(fo, c, i * g);
                h = o * tanh(next);
                if (a) {
                    if (far) {
                        stream(a, i, fo, g, o);
                    } else {
                        store(a, i);
                        store(a + W, fo);
                        store(a + 2 * W, g);
                        store(a + 3 * W, o);
                    }
                    store(kept, next, n);
                }
                if (!plain && keep_c) {
                    next = zone(load(keep_c + row * keep_step + u, n), c, next);
                    if (all_c) store(all_c + row * H + u, next, n);
                }
                store(c_now + r * H + u, next, n);
                if (r >= going) store(cn + (first + r) * H + u, next, n);
            }
            if constexpr (cell == Cell::gru) {
                vec Rn = R(2) + load(bias_n + u, n);
                vec reset = sigmoid(Wx(0) + R(0)), z = sigmoid(Wx(1) + R(1));
                vec nn = tanh(fma(reset, Rn, Wx(2)));
                h = fma(z, old_h() - nn, nn);
                if (a) {
                    store(a, reset);
                    store(a + W, z);
                    store(a + 2 * W, nn);
                    store(kept, Rn, n);
                }
            }
            if constexpr (cell == Cell::gru_reset_before) {
                if (gate == 0) {
                    vec reset = sigmoid(Wx(0) + R(0)), z = sigmoid(Wx(1) + R(1));
                    vec product = reset * old_h();
                    if (!plain && mask) product = product * load(mask + (first + r) * H + u, n);
                    store(rh + r * ld + u, product, n);
                    store(z_now + r * H + u, z, n);
                    if (a) {
                        store(a, reset);
                        store(a + W, z);
                        store(met + row * H + u, product, n);
                    }
                    return;
                }
                vec nn = tanh(Wx(2) + R(2));
                h = fma(load(z_now + r * H + u, n), old_h() - nn, nn);
                if (a) store(a + 2 * W, nn);
            }
            if (!plain && keep_h) h = zone(load(keep_h + row * keep_step + u, n), old_h(), h);
            if (needs_h || !plain) store(after + r * ld + u, h, n);
            if (DEEP > 1 || (!plain && separate)) {
                vec fresh = !plain && mask ? h * load(mask + (first + r) * H + u, n) : h;
                store(fed_after + r * ld + u, fresh, n);
            }
            store(y + row * H + u, h, n);
            if (r >= going) store(hn + (first + r) * H + u, h, n);  // it ends here
        };
        panels.finish(tile, alive, cell_of, ahead ? calls(s, stage) : 0, [&](const Between& between) {
            if (ahead) multiply(s, stage, tile + 1, ahead, between);
        });
    }

    // Puts the first states of the rows that begin at the next step where it will look for them.
    void begin_next(long s, int stage, long tile) {
        if (stage + 1 < recurrent.count) return;
        const long gap = recurrent[stage].gap(), unit = tile * gap;
        for (long r = walk.alive(s); r < walk.alive(s + 1); ++r)
            begin(r, unit, min(gap, H - unit), h(s + 1), fed(s + 1));
    }

    const Forward<Number>& f;
    const long first, rows;
    const Walk walk;
    const long H = f.in.H, ld = (H + W * DEEP - 1) / (W * DEEP) * W * DEEP + W * DEEP;  // no power of two
    const long all_gates = gates_size(cell, H);
    // Gates so many that they will have left the caches when backward comes: to fetch their lines first
    // would take as long as to write them.
    const bool far = cell == Cell::lstm && f.gates && (uintptr_t)f.gates % 64 == 0 &&
                     rows * f.in.T * all_gates * (long)sizeof(Saved) > FAR_BYTES;
    const Products recurrent, input;
    const bool separate = DEEP > 1 || f.inside.mask;  // the operand of R is not h itself
    Buffer<> h_;
    Buffer<Operand> fed_;
    Buffer<> c_;
    Buffer<Operand> rh_;
    Buffer<> z_, no_bias;
    const float *bias_, *bias_n_;
    Tickets tickets;
};

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
