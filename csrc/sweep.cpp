// The sweeps themselves. Compiled once for each instruction set, with ELMAN_ISA as its name.
//
// A step is a product of h (or of the gate gradients) with R, a tile of units at a time: the sums
// of all rows and all gates of the tile are made in registers, parked in the first-level cache, and
// finished at once. Nothing here may call an inline function of the standard library: the linker
// keeps one copy for all translation units, and might keep one that this processor cannot run.
#include "sweep.h"

#include <sched.h>

#include "panels.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

// The products of a cell with a matrix [G*H, K], or backward with its transpose: all gates at once,
// but where r comes before the product, n waits for it.
struct Products {
    Panels panels[2];
    int count = 0;

    Products() = default;
    Products(Cell cell, long H, long K, bool backward) {
        const long G = gates(cell), first = cell == Cell::gru_reset_before ? 2 : G;
        count = first < G ? 2 : 1;
        for (int k = 0; k < count; ++k) {
            const long share = k ? G - first : first;
            panels[k] = backward ? Panels(K, share * H, 1) : Panels(H, K, share);
        }
    }
    const Panels& operator[](int k) const { return panels[k]; }
    long size() const { return panels[0].size() + panels[1].size(); }
    long tiles() const { return panels[0].tiles + panels[1].tiles; }
    long width() const { return max(panels[0].width(), panels[1].width()); }
};

// dx needs all gates at once, whatever the cell.
Products packing(Cell cell, long H, long K, Matrix matrix) {
    if (matrix == Matrix::to_input) {
        Products whole;
        whole.panels[0] = Panels(K, gates(cell) * H, 1);
        whole.count = 1;
        return whole;
    }
    return Products(cell, H, K, matrix == Matrix::to_state);
}

int64_t packed_size(Cell cell, int64_t H, int64_t K, Matrix matrix) {
    return packing(cell, H, K, matrix).size();
}

void pack(Cell cell, int64_t H, int64_t K, Matrix matrix, const float* from, float* to) {
    const Products p = packing(cell, H, K, matrix);
    const auto one = matrix == Matrix::to_gates ? &Panels::pack_forward : &Panels::pack_backward;
    (p[0].*one)(from, to);
    if (p.count > 1) (p[1].*one)(from + 2 * H * K, to + p[0].size());
}

// ---- Time ----------------------------------------------------------------------------------

// The steps in the order of a walk, and which rows first .. last are alive in each.
struct Walk {
    const Sequence& in;
    long first, last;
    bool down;  // from the last step to the first

    long time(long s) const { return down ? in.T - 1 - s : s; }
    // How many of the rows are alive at the s-th step of the walk; none before and after all steps.
    long alive(long s) const {
        if (s < 0 || s >= in.T) return 0;
        return max(first, min(last, in.sizes[time(s)])) - first;
    }
    long offset(long s) const { return in.offsets[time(s)] + first; }  // where they begin in [N, ·]
};

// The threads that do the tiles of all steps together. Each takes the next tile that nobody has; no
// tile begins before all those of the stages before are finished. A thread that stops hinders the
// others only if it has a tile.
struct Tickets {
    long next = 0, finished = 0;

    long take() { return __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED); }
    void finish() { __atomic_fetch_add(&finished, 1, __ATOMIC_RELEASE); }
    void wait_for(long count) {
        for (long tries = 0; __atomic_load_n(&finished, __ATOMIC_ACQUIRE) < count; ++tries)
            if (tries > 4000) sched_yield();  // somebody needs this core
    }
};

// zoneout: the old value, for the share that is kept of it; exact where that is 0 or 1
INLINE vec zone(vec keep, vec old, vec fresh) { return fma(keep, old, (1.0f - keep) * fresh); }

// ---- Layer norm of R h, gate by gate ---------------------------------------------------------

// For gates g .. last of each row, over the H values of each gate, `ld` floats from row to row.
struct Norm {
    long H, G, first, last;

    // x [rows, G*H] becomes gain * (x - mean) / deviation. `normed` and `scale` may be null.
    void forward(float* x, long ld, long rows, const float* gain, float* normed, float* scale) const {
        for (long r = 0; r < rows; ++r)
            for (long g = first; g < last; ++g) {
                float* row = x + r * ld + g * H;
                const float mean = sum(row) / (float)H;
                vec squares{};
                for (long u = 0; u < H; u += W) {
                    const long n = min(W, H - u);
                    vec d = load(row + u, n) - mean;
                    store(row + u, d, n);
                    d = load(row + u, n);  // beyond the end it is zero again
                    squares = fma(d, d, squares);
                }
                const float by = 1.0f / root(total(squares) / (float)H + 1e-5f);
                for (long u = 0; u < H; u += W) {
                    const long n = min(W, H - u);
                    vec d = load(row + u, n) * by;
                    if (normed) store(normed + (r * G + g) * H + u, d, n);
                    store(row + u, d * load(gain + g * H + u, n), n);
                }
                if (scale) scale[r * G + g] = by;
            }
    }

    // From the gradient of what came out, `n` being that of the last gate, to that of what went in.
    void backward(const float* d, const float* n, long rows, const float* gain, const float* normed,
                  const float* scale, float* to) const {
        for (long r = 0; r < rows; ++r)
            for (long g = first; g < last; ++g) {
                const float* dy = n && g == G - 1 ? n + r * H : d + (r * G + g) * H;
                const float* x = normed + (r * G + g) * H;
                float* dx = to + (r * G + g) * H;
                vec s{}, sx{};
                for (long u = 0; u < H; u += W) {
                    const long k = min(W, H - u);
                    vec a = load(dy + u, k) * load(gain + g * H + u, k);
                    s = s + a;
                    sx = fma(a, load(x + u, k), sx);
                }
                const float mean = total(s) / (float)H, slope = total(sx) / (float)H;
                for (long u = 0; u < H; u += W) {
                    const long k = min(W, H - u);
                    vec a = load(dy + u, k) * load(gain + g * H + u, k);
                    store(dx + u, (a - mean - load(x + u, k) * slope) * scale[r * G + g], k);
                }
            }
    }

  private:
    static float total(vec a) {
        float sum = 0;
        for (long k = 0; k < W; ++k) sum += a[k];
        return sum;
    }
    float sum(const float* row) const {
        vec s{};
        for (long u = 0; u < H; u += W) s = s + load(row + u, min(W, H - u));
        return total(s);
    }
    static float root(float a) { return __builtin_sqrtf(a); }
};

// ---- Forward -------------------------------------------------------------------------------

template <Cell cell>
class ForwardSweep {
  public:
    ForwardSweep(const Forward& f, long first, long last)
        : f(f),
          first(first),
          rows(last - first),
          walk{f.in, first, last, f.in.reverse},
          recurrent(cell, H, H, false),
          input(f.x ? Products(cell, H, f.I, false) : Products()),
          h_(2 * rows * ld),
          fed_(f.inside.mask ? 2 * rows * ld : 0),
          c_(cell == Cell::lstm ? rows * H : 0),
          rh_(two ? rows * ld : 0),
          z_(two ? rows * H : 0),
          no_bias(G * H),
          bias_(f.bias ? f.bias : no_bias()),
          bias_n_(f.bias_n ? f.bias_n : no_bias()) {
        copy(no_bias(), nullptr, G * H);
        for (long r = 0; r < walk.alive(0); ++r) begin(r, 0, H, h_(), fed_());
    }

    void run() {
        Buffer sums(sums_size(f.inside.norm != nullptr));
        for (long s = 0; s < f.in.T; ++s)
            for (int stage = 0; stage < recurrent.count; ++stage) {
                const Panels& panels = recurrent[stage];
                if (!f.inside.norm)
                    for (long tile = 0; tile < panels.tiles; ++tile) {
                        multiply(s, stage, tile, sums());
                        finish(s, stage, tile, sums());
                    }
                else
                    normed(s, stage, sums());
            }
    }

    void join() {
        Buffer sums(sums_size(false));
        const long tiles = recurrent.tiles();
        for (long k; (k = tickets.take()) < f.in.T * tiles; tickets.finish()) {
            const long s = k / tiles, t = k % tiles, first_tiles = recurrent[0].tiles;
            const int stage = t >= first_tiles;
            tickets.wait_for(s * tiles + (stage ? first_tiles : 0));
            multiply(s, stage, t - stage * first_tiles, sums());
            finish(s, stage, t - stage * first_tiles, sums());
        }
    }

  private:
    static constexpr bool two = cell == Cell::gru_reset_before;
    static constexpr long G = gates(cell);

    // Sums of a tile: those of R, and where W x must stay apart from them, those of W.
    long sums_size(bool whole) const {
        const long tile = rows * recurrent.width();
        return (whole ? rows * G * H : 0) + 2 * tile;
    }

    // r multiplies R_n h alone, and layer norm acts on R h alone.
    bool joined() const { return f.x && cell != Cell::gru && !f.inside.norm; }

    float* h(long s) { return h_((s & 1) * rows * ld); }
    float* fed(long s) { return f.inside.mask ? fed_((s & 1) * rows * ld) : h(s); }
    const float* operand(long s, int stage) { return stage ? rh_() : fed(s); }

    void begin(long r, long u, long n, float* h, float* fed) {
        copy(h + r * ld + u, f.h0 + (first + r) * H + u, n);
        if (f.inside.mask) {
            const float* by = f.inside.mask + (first + r) * H + u;
            for (long k = 0; k < n; ++k) fed[r * ld + u + k] = h[r * ld + u + k] * by[k];
        }
        if (cell == Cell::lstm) copy(c_(r * H + u), f.c0 + (first + r) * H + u, n);
    }

    void multiply(long s, int stage, long tile, float* sums) {
        const Panels& panels = recurrent[stage];
        const long alive = walk.alive(s), offset = walk.offset(s), gate = stage ? 2 : 0;
        if (f.x) {
            float* apart = joined() ? sums : sums + rows * panels.width();
            const float* P = f.W + (stage ? input[0].size() : 0);
            input[stage].multiply(P, tile, 0, f.I, f.x + offset * f.I, f.I, alive, apart, false);
        } else if (!f.ids) {
            for (long g = 0; g < panels.G; ++g)
                panels.prefetch(tile, f.Wx + offset * G * H + (gate + g) * H, alive, G * H);
        }
        const float* P = f.R + (stage ? recurrent[0].size() : 0);
        panels.multiply(P, tile, 0, H, operand(s, stage), ld, alive, sums, joined());
    }

    // A stage of a step with layer norm: every R h is there before any gate is finished.
    void normed(long s, int stage, float* whole) {
        const Panels& panels = recurrent[stage];
        const long alive = walk.alive(s), offset = walk.offset(s), gate = stage ? 2 : 0;
        float* sums = whole + rows * G * H;
        const float* P = f.R + (stage ? recurrent[0].size() : 0);
        for (long tile = 0; tile < panels.tiles; ++tile) {
            panels.multiply(P, tile, 0, H, operand(s, stage), ld, alive, sums, false);
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
            if (f.x) {
                const float* P = f.W + (stage ? input[0].size() : 0);
                input[stage].multiply(P, tile, 0, f.I, f.x + offset * f.I, f.I, alive,
                                      sums + rows * panels.width(), false);
            }
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

    // The cell itself: from the sums of a tile to its h.
    void finish(long s, int stage, long tile, const float* sums) {
        const Inside& in = f.inside;
        const bool plain = !in.mask && !in.keep_h;
        if (!f.x)
            plain ? compute<Source::rows, true>(s, stage, tile, sums)
                  : compute<Source::rows, false>(s, stage, tile, sums);
        else if (joined())
            plain ? compute<Source::joined, true>(s, stage, tile, sums)
                  : compute<Source::joined, false>(s, stage, tile, sums);
        else
            plain ? compute<Source::apart, true>(s, stage, tile, sums)
                  : compute<Source::apart, false>(s, stage, tile, sums);
        begin_next(s, stage, tile);
    }

    // Pointers are copied first: after a store of floats the compiler would read them again.
    template <Source source, bool plain>
    void compute(long s, int stage, long tile, const float* sums) {
        const Panels panels = recurrent[stage];
        const long alive = walk.alive(s), going = walk.alive(s + 1), offset = walk.offset(s);
        const long H = this->H, ld = this->ld, first = this->first, keep_step = f.inside.keep_step;
        const long gap = panels.gap(), gate = stage ? 2 : 0;
        const float* apart = sums + rows * panels.width();
        const float *before = h(s), *mask = f.inside.mask, *keep_h = f.inside.keep_h;
        const float *keep_c = f.inside.keep_c, *Wx_rows = f.Wx, *bias = bias_, *bias_n = bias_n_;
        const int64_t* ids = f.ids;
        float *after = h(s + 1), *fed_after = fed(s + 1), *y = f.y, *hn = f.hn, *cn = f.cn;
        float *gates = f.gates, *all_kept = f.kept, *all_c = f.c;
        float *c_now = c_(), *rh = rh_(), *z_now = z_();
        panels.finish(tile, alive, [&](long r, long u, long n, long at) __attribute__((
                                       always_inline)) {
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
            float* a = gates ? gates + row * G * H + u : nullptr;
            float* kept = all_kept ? all_kept + row * H + u : nullptr;
            const auto old_h = [&] { return load(before + r * ld + u, n); };
            vec h;
            if constexpr (cell == Cell::rnn_tanh || cell == Cell::rnn_relu) {
                h = Wx(0) + R(0);
                h = cell == Cell::rnn_tanh ? tanh(h) : relu(h);
                if (kept) store(kept, h, n);
            }
            if constexpr (cell == Cell::lstm) {
                vec i = sigmoid(Wx(0) + R(0)), fo = sigmoid(Wx(1) + R(1));
                vec g = tanh(Wx(2) + R(2)), o = sigmoid(Wx(3) + R(3));
                vec c = load(c_now + r * H + u, n), next = fma(fo, c, i * g);
                h = o * tanh(next);
                if (a) {
                    store(a, i, n);
                    store(a + H, fo, n);
                    store(a + 2 * H, g, n);
                    store(a + 3 * H, o, n);
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
                    store(a, reset, n);
                    store(a + H, z, n);
                    store(a + 2 * H, nn, n);
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
                        store(a, reset, n);
                        store(a + H, z, n);
                        store(kept, product, n);
                    }
                    return;
                }
                vec nn = tanh(Wx(2) + R(2));
                h = fma(load(z_now + r * H + u, n), old_h() - nn, nn);
                if (a) store(a + 2 * H, nn, n);
            }
            if (!plain && keep_h) h = zone(load(keep_h + row * keep_step + u, n), old_h(), h);
            store(after + r * ld + u, h, n);
            if (!plain && mask)
                store(fed_after + r * ld + u, h * load(mask + (first + r) * H + u, n), n);
            store(y + row * H + u, h, n);
            if (r >= going) store(hn + (first + r) * H + u, h, n);  // it ends here
        });
    }

    // Puts the first states of the rows that begin at the next step where it will look for them.
    void begin_next(long s, int stage, long tile) {
        if (stage + 1 < recurrent.count) return;
        const long gap = recurrent[stage].gap(), unit = tile * gap;
        for (long r = walk.alive(s); r < walk.alive(s + 1); ++r)
            begin(r, unit, min(gap, H - unit), h(s + 1), fed(s + 1));
    }

    const Forward& f;
    const long first, rows;
    const Walk walk;
    const long H = f.in.H, ld = (H + W - 1) / W * W + W;  // no power of two
    const Products recurrent, input;
    Buffer h_, fed_, c_, rh_, z_, no_bias;
    const float *bias_, *bias_n_;
    Tickets tickets;
};

// ---- Backward ------------------------------------------------------------------------------

template <Cell cell>
class BackwardSweep {
  public:
    BackwardSweep(const Backward& b, long first, long last)
        : b(b),
          first(first),
          rows(last - first),
          walk{b.in, first, last, !b.in.reverse},
          recurrent(cell, H, H, true),
          x_panels(b.dx ? packing(cell, H, b.I, Matrix::to_input)[0] : Panels()),
          carries(gated || b.inside.keep_h),
          dc_(cell == Cell::lstm ? rows * H : 0),
          past_(carries ? rows * H : 0) {}

    void run() {
        Buffer sums(sums_size());
        for (long s = 0; s < b.in.T; ++s) {
            for (long tile = 0; tile < recurrent[0].tiles; ++tile) first_stage(s, tile, sums());
            if (b.inside.norm) unnorm(s, two ? 2 : 0, G);
            for (long tile = 0; tile < recurrent[1].tiles; ++tile) second_stage(s, tile, sums());
            if (b.inside.norm && two) unnorm(s, 0, 2);
            for (long tile = 0; tile < x_panels.tiles; ++tile) input_stage(s, tile, sums());
            if (walk.alive(s + 1) < walk.alive(s))
                for (long tile = 0; tile < recurrent[0].tiles; ++tile) leave(s, tile, sums());
        }
    }

    void join() {
        Buffer sums(sums_size());
        const long one = recurrent[0].tiles, tiles = recurrent.tiles(), all = b.in.T * tiles;
        for (long k; (k = tickets.take()) < all + one; tickets.finish()) {
            const long s = k / tiles, t = k % tiles;
            tickets.wait_for(min(s * tiles + (t >= one ? one : 0), all));
            if (k >= all)
                leave(b.in.T - 1, k - all, sums());
            else if (t < one)
                first_stage(s, t, sums());
            else
                second_stage(s, t - one, sums());
        }
    }

  private:
    static constexpr bool two = cell == Cell::gru_reset_before;
    static constexpr bool gated = cell == Cell::gru || two;
    static constexpr long G = gates(cell);

    long sums_size() const { return rows * max(recurrent.width(), x_panels.width()); }

    // The sums of rows from .. to of the step at `offset`: the share of dh that comes through R.
    void through_R(long tile, long offset, long from, long to, float* sums) const {
        const Panels& panels = recurrent[0];
        const float* d = (b.inside.norm ? b.dRh : b.dWx) + (offset + from) * G * H;
        if (cell == Cell::gru && !b.inside.norm) {
            const float* dRn = b.dRn + (offset + from) * H;
            panels.multiply(b.R, tile, 0, 2 * H, d, G * H, to - from, sums, false);
            panels.multiply(b.R, tile, 2 * H, H, dRn, H, to - from, sums, true);
        } else {
            panels.multiply(b.R, tile, 0, panels.K, d, G * H, to - from, sums, false);
        }
    }

    // The states before a step, in time; a row that was not alive then had its first state.
    struct Before {
        const float *all, *initial;
        long known, H;
        const float* operator()(long r) const { return (r < known ? all : initial) + r * H; }
    };
    Before before(const float* all, const float* initial, long s) const {
        const long known = walk.alive(s + 1);
        return {known ? all + walk.offset(s + 1) * H : nullptr, initial + first * H, known, H};
    }

    vec masked(vec d, long r, long u, long n) const {
        return b.inside.mask ? d * load(b.inside.mask + (first + r) * H + u, n) : d;
    }

    // From the gradient of h to those of the gates; where r comes before, not yet to that of r.
    void first_stage(long s, long tile, float* sums) {
        const Panels& panels = recurrent[0];
        const long alive = walk.alive(s), offset = walk.offset(s);
        const long going = min(walk.alive(s - 1), alive);  // the other rows begin here
        if (b.gates)
            for (long g = 0; g < G; ++g)
                panels.prefetch(tile, b.gates + offset * G * H + g * H, alive, G * H);
        const float* const columns[] = {b.y, b.kept, b.dy};
        for (const float* each : columns)
            if (each) panels.prefetch(tile, each + offset * H, alive, H);
        if (going > 0) through_R(tile, walk.offset(s - 1), 0, going, sums);
        b.inside.mask || b.inside.keep_h ? differentiate<false>(s, tile, going, sums)
                                         : differentiate<true>(s, tile, going, sums);
    }

    // Pointers are copied first: after a store of floats the compiler would read them again.
    template <bool plain>
    void differentiate(long s, long tile, long going, const float* sums) {
        const Panels panels = recurrent[0];
        const long alive = walk.alive(s), offset = walk.offset(s), H = this->H, first = this->first;
        const Before old = cell == Cell::lstm ? before(b.c, b.c0, s) : before(b.y, b.h0, s);
        const float *gates = b.gates, *all_kept = b.kept ? b.kept : b.y, *dy = b.dy, *dhn = b.dhn;
        const float *dcn = b.dcn, *mask = b.inside.mask, *keep_h = b.inside.keep_h;
        const float* keep_c = b.inside.keep_c;
        const long keep_step = b.inside.keep_step;
        float *dWx = b.dWx, *dRn = b.dRn, *dc_now = dc_(), *past_now = past_();
        panels.finish(tile, alive, [&](long r, long u, long n, long at) __attribute__((
                                       always_inline)) {
            const long row = offset + r, unit = r * H + u;
            const float *a = gates + row * G * H + u, *kept = all_kept + row * H + u;
            float* d = dWx + row * G * H + u;
            vec dh, dc{}, past{};  // past: what reaches the h before, and not by R
            if (r < going) {
                dh = load(sums + at);
                if (!plain && mask) dh = dh * load(mask + (first + r) * H + u, n);
                if (gated || (!plain && keep_h)) dh = dh + load(past_now + unit, n);
                if (cell == Cell::lstm) dc = load(dc_now + unit, n);
            } else {
                dh = dhn ? load(dhn + (first + r) * H + u, n) : vec{};
                if (cell == Cell::lstm && dcn) dc = load(dcn + (first + r) * H + u, n);
            }
            if (dy) dh = dh + load(dy + row * H + u, n);
            if (!plain && keep_h) {
                past = load(keep_h + row * keep_step + u, n) * dh;
                dh = dh - past;
            }
            if constexpr (cell == Cell::rnn_tanh || cell == Cell::rnn_relu) {
                vec h = load(kept, n);
                if constexpr (cell == Cell::rnn_tanh) store(d, dh * fma(-h, h, splat(1.0f)), n);
                if constexpr (cell == Cell::rnn_relu) store(d, h <= 0.0f ? splat(0.0f) : dh, n);
            }
            if constexpr (cell == Cell::lstm) {
                vec i = load(a, n), f = load(a + H, n);
                vec g = load(a + 2 * H, n), o = load(a + 3 * H, n);
                vec t = tanh(load(kept, n));
                vec c_before = load(old(r) + u, n), stays{};
                if (!plain && keep_c) {
                    stays = load(keep_c + row * keep_step + u, n) * dc;
                    dc = dc - stays;
                }
                dc = fma(dh * o, fma(-t, t, splat(1.0f)), dc);
                store(d, dc * g * i * (1.0f - i), n);
                store(d + H, dc * c_before * f * (1.0f - f), n);
                store(d + 2 * H, dc * i * fma(-g, g, splat(1.0f)), n);
                store(d + 3 * H, dh * t * o * (1.0f - o), n);
                store(dc_now + unit, plain ? dc * f : fma(dc, f, stays), n);
            }
            if constexpr (gated) {
                vec z = load(a + H, n), nn = load(a + 2 * H, n);
                vec h = load(old(r) + u, n);
                past = fma(dh, z, past);
                vec dn = dh * (1.0f - z) * fma(-nn, nn, splat(1.0f));
                store(d + H, dh * (h - nn) * z * (1.0f - z), n);
                store(d + 2 * H, dn, n);
                if constexpr (cell == Cell::gru) {
                    vec reset = load(a, n);
                    store(d, dn * load(kept, n) * reset * (1.0f - reset), n);
                    store(dRn + row * H + u, dn * reset, n);
                }
            }
            if (gated || (!plain && keep_h)) store(past_now + unit, past, n);
        });
    }

    // Where r comes before the product: through R_n to r, and past it to h.
    void second_stage(long s, long tile, float* sums) {
        const Panels& panels = recurrent[1];
        const long alive = walk.alive(s), offset = walk.offset(s);
        const float* d = (b.inside.norm ? b.dRh : b.dWx) + offset * G * H + 2 * H;
        panels.multiply(b.R + recurrent[0].size(), tile, 0, H, d, G * H, alive, sums, false);
        const Before old = before(b.y, b.h0, s);
        panels.finish(tile, alive, [&](long r, long u, long n, long at) {
            const long gate = (offset + r) * G * H + u;
            vec drh = masked(load(sums + at), r, u, n), reset = load(b.gates + gate, n);
            float* past = past_(r * H + u);
            store(past, fma(drh, reset, load(past, n)), n);
            vec h = load(old(r) + u, n);
            store(b.dWx + gate, drh * h * reset * (1.0f - reset), n);
        });
    }

    void unnorm(long s, long from, long to) const {
        const long alive = walk.alive(s), offset = walk.offset(s);
        const Norm norm{H, G, from, to};
        norm.backward(b.dWx + offset * G * H, b.dRn ? b.dRn + offset * H : nullptr, alive,
                      b.inside.norm, b.normed + offset * G * H, b.scale + offset * G,
                      b.dRh + offset * G * H);
    }

    // dx, while the gradients of the gates are close.
    void input_stage(long s, long tile, float* sums) const {
        const long alive = walk.alive(s), offset = walk.offset(s);
        x_panels.multiply(b.W, tile, 0, G * H, b.dWx + offset * G * H, G * H, alive, sums, false);
        x_panels.finish(tile, alive, [&](long r, long u, long n, long at) {
            store(b.dx + (offset + r) * b.I + u, load(sums + at), n);
        });
    }

    // Rows that began at step s, in time: what is left of their gradient is that of the first state.
    void leave(long s, long tile, float* sums) {
        const long alive = walk.alive(s), known = walk.alive(s + 1), offset = walk.offset(s);
        const Panels& panels = recurrent[0];
        if (b.dh0) through_R(tile, offset, known, alive, sums);
        panels.finish(tile, alive - known, [&](long k, long u, long n, long at) {
            const long r = known + k, to = (first + r) * H + u;
            if (b.dh0) {
                vec dh = masked(load(sums + at), r, u, n);
                store(b.dh0 + to, carries ? dh + load(past_(r * H + u), n) : dh, n);
            }
            if (cell == Cell::lstm && b.dc0) store(b.dc0 + to, load(dc_(r * H + u), n), n);
        });
    }

    const Backward& b;
    const long first, rows;
    const Walk walk;
    const long H = b.in.H;
    const Products recurrent;
    const Panels x_panels;
    const bool carries;  // whether h reaches the next one past R too
    Buffer dc_, past_;
    Tickets tickets;
};

// ---- One build -----------------------------------------------------------------------------

template <Cell cell>
struct Is {
    static constexpr Cell value = cell;
};

// The sweep over rows first .. last of a cell that is known only now, given to `use`.
template <template <Cell> class Sweep, class Problem, class Use>
void with_sweep(const Problem& p, long first, long last, Use use) {
    const auto made = [&](auto cell) {
        Sweep<decltype(cell)::value> sweep(p, first, last);
        use(sweep);
    };
    switch (p.in.cell) {
        case Cell::rnn_tanh: return made(Is<Cell::rnn_tanh>{});
        case Cell::rnn_relu: return made(Is<Cell::rnn_relu>{});
        case Cell::lstm: return made(Is<Cell::lstm>{});
        case Cell::gru: return made(Is<Cell::gru>{});
        case Cell::gru_reset_before: return made(Is<Cell::gru_reset_before>{});
    }
}

template <template <Cell> class Sweep, class Problem>
void apart(const Problem& p, int64_t first, int64_t last) {
    with_sweep<Sweep>(p, first, last, [](auto& sweep) { sweep.run(); });
}

template <template <Cell> class Sweep, class Problem>
void together(const Problem& p, Spread spread, void* context) {
    with_sweep<Sweep>(p, 0, p.in.B, [&](auto& sweep) {
        using Made = decltype(&sweep);
        spread(context, [](void* shared) { ((Made)shared)->join(); }, &sweep);
    });
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

#define KERNELS(isa) isa##_kernels
#define DEFINE(isa)                                              \
    const Kernels KERNELS(isa) = {isa::packed_size,              \
                                  isa::pack,                     \
                                  isa::apart<isa::ForwardSweep>, \
                                  isa::apart<isa::BackwardSweep>, \
                                  isa::together<isa::ForwardSweep>, \
                                  isa::together<isa::BackwardSweep>, \
                                  isa::tanh_all,                 \
                                  isa::sigmoid_all};
#define EXPAND(macro, isa) macro(isa)
EXPAND(DEFINE, ELMAN_ISA)

}  // namespace elman
