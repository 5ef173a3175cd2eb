// The backward sweep of every cell.
#pragma once

#include "norm.h"
#include "walk.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

template <Cell cell>
class BackwardSweep {
  public:
    BackwardSweep(const Backward<Number>& b, long first, long last)
        : b(b),
          first(first),
          rows(last - first),
          walk{b.in, first, last, !b.in.reverse},
          recurrent(cell, H, H, true),
          x_panels(b.dx ? packing(cell, H, b.I, Packing::to_input)[0] : Panels()),
          carries(gated || b.inside.keep_h),
          dc_(cell == Cell::lstm ? rows * H : 0),
          past_(carries ? rows * H : 0) {}

    void run() {
        Buffer<> sums(sums_size());
        for (long s = 0, waiting = 0; s < b.in.T; ++s) {
            for (long tile = 0; tile < recurrent[0].tiles; ++tile) first_stage(s, tile, sums());
            if (b.inside.norm) unnorm(s, two ? 2 : 0, G);
            for (long tile = 0; tile < recurrent[1].tiles; ++tile) second_stage(s, tile, sums());
            if (b.inside.norm && two) unnorm(s, 0, 2);
            if (++waiting == steps_of_dx || s + 1 == b.in.T) {
                input_stage(s + 1 - waiting, s + 1, sums());
                waiting = 0;
            }
            if (walk.alive(s + 1) < walk.alive(s))
                for (long tile = 0; tile < recurrent[0].tiles; ++tile) leave(s, tile, sums());
        }
    }

    void join() {
        Buffer<> sums(sums_size());
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
    template <class Meanwhile>
    void through_R(long tile, long offset, long from, long to, float* sums,
                   const Meanwhile& meanwhile) const {
        const Panels& panels = recurrent[0];
        const Operand* d = (b.inside.norm ? b.dRh : b.dWx) + (offset + from) * G * H;
        const bool apart = cell == Cell::gru && !b.inside.norm;  // R_n h has a gradient of its own
        const long shared = apart ? 2 * H : panels.K;
        Factors both[2] = {panels.factors(b.R, tile, 0, shared, d, G * H)};
        if (apart)
            both[1] = panels.factors(b.R, tile, shared, H, b.dRn + (offset + from) * H, H);
        panels.multiply(both, apart ? 2 : 1, to - from, sums, false, meanwhile);
    }

    // The states before a step, in time; a row that was not alive then had its first state.
    template <class T>
    struct Before {
        const T* all;
        const float* initial;
        long known, H;
        vec operator()(long r, long u, long n) const {
            return r < known ? load(all + r * H + u, n) : load(initial + r * H + u, n);
        }
    };
    template <class T>
    Before<T> before(const T* all, const float* initial, long s) const {
        const long known = walk.alive(s + 1);
        return {known ? all + walk.offset(s + 1) * H : nullptr, initial + first * H, known, H};
    }

    vec masked(vec d, long r, long u, long n) const {
        return b.inside.mask ? d * load(b.inside.mask + (first + r) * H + u, n) : d;
    }

    // From the gradient of h to those of the gates; where r comes before, not yet to that of r.
    void first_stage(long s, long tile, float* sums) {
        const long alive = walk.alive(s);
        const long going = min(walk.alive(s - 1), alive);  // the other rows begin here
        const auto meanwhile = [&](long row, long end) {
            prefetch<Near::second>(s, tile, row, end);
        };
        if (going > 0) through_R(tile, walk.offset(s - 1), 0, going, sums, meanwhile);
        b.inside.mask || b.inside.keep_h ? differentiate<false>(s, tile, going, sums)
                                         : differentiate<true>(s, tile, going, sums);
    }

    // What rows row .. end of a tile will read and write.
    template <Near near>
    INLINE void prefetch(long s, long tile, long row, long end) const {
        const Panels& panels = recurrent[0];
        const long offset = walk.offset(s);
        if (b.gates) panels.prefetch<near>(tile, b.gates + offset * all_gates, row, end, all_gates, G);
        for (long g = 0; g < G; ++g)
            panels.prefetch<near, true>(tile, b.dWx + offset * G * H + g * H, row, end, G * H);
        if (cell != Cell::lstm) panels.prefetch<near>(tile, b.y + offset * H, row, end, H);
        if (b.dy) panels.prefetch<near>(tile, b.dy + offset * H, row, end, H);
        if (b.kept) panels.prefetch<near>(tile, b.kept + offset * H, row, end, H);
    }

    // Pointers are copied first: after a store of floats the compiler would read them again.
    template <bool plain>
    void differentiate(long s, long tile, long going, const float* sums) {
        const Panels panels = recurrent[0];
        const long alive = walk.alive(s), offset = walk.offset(s), H = this->H, first = this->first;
        const long all_gates = this->all_gates, gap = panels.gap();
        const auto c_old = cell == Cell::lstm ? before(b.c, b.c0, s) : Before<float>{};
        const Before<Operand> h_old = before(b.y, b.h0, s);
        const Saved* gates = b.gates;
        const Operand *y = b.y, *dy = b.dy;
        const float *all_kept = b.kept, *dhn = b.dhn;
        const float *dcn = b.dcn, *mask = b.inside.mask, *keep_h = b.inside.keep_h;
        const float* keep_c = b.inside.keep_c;
        const long keep_step = b.inside.keep_step;
        Operand *dWx = b.dWx, *dRn = b.dRn;
        float *dc_now = dc_(), *past_now = past_();
        panels.finish(tile, alive, [&](long r, long u, long n, long at) __attribute__((
                                       always_inline)) {
            const long row = offset + r, unit = r * H + u;
            if (DEEP > 1 && u == tile * gap && r + 1 < alive) prefetch<Near::first>(s, tile, r + 1, r + 2);
            const Saved* a = gates + row * all_gates + u * G;
            const float* kept = all_kept + row * H + u;
            Operand* d = dWx + row * G * H + u;
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
                vec h = gates ? load(a) : load(y + row * H + u, n);
                if constexpr (cell == Cell::rnn_tanh) store(d, dh * fma(-h, h, splat(1.0f)), n);
                if constexpr (cell == Cell::rnn_relu) store(d, h <= 0.0f ? splat(0.0f) : dh, n);
            }
            if constexpr (cell == Cell::lstm) {
                vec i = load(a), f = load(a + W), g = load(a + 2 * W), o = load(a + 3 * W);
                vec t = tanh(load(kept, n));
                vec c_before = c_old(r, u, n), stays{};
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
                vec z = load(a + W), nn = load(a + 2 * W);
                vec h = h_old(r, u, n);
                past = fma(dh, z, past);
                vec dn = dh * (1.0f - z) * fma(-nn, nn, splat(1.0f));
                store(d + H, dh * (h - nn) * z * (1.0f - z), n);
                store(d + 2 * H, dn, n);
                if constexpr (cell == Cell::gru) {
                    vec reset = load(a);
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
        const Operand* d = (b.inside.norm ? b.dRh : b.dWx) + offset * G * H + 2 * H;
        panels.multiply(panels.factors(b.R + recurrent[0].size(), tile, 0, H, d, G * H), alive, sums);
        const Before<Operand> h_old = before(b.y, b.h0, s);
        panels.finish(tile, alive, [&](long r, long u, long n, long at) {
            const long gate = (offset + r) * G * H + u;
            vec drh = masked(load(sums + at), r, u, n);
            vec reset = load(b.gates + (offset + r) * all_gates + u * G);
            float* past = past_(r * H + u);
            store(past, fma(drh, reset, load(past, n)), n);
            vec h = h_old(r, u, n);
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

    // dx of steps s .. end, while the gradients of their gates are close.
    void input_stage(long s, long end, float* sums) const {
        for (long tile = 0; tile < x_panels.tiles; ++tile)
            for (long step = s; step < end; ++step) {
                const long alive = walk.alive(step), offset = walk.offset(step);
                const Operand* d = b.dWx + offset * G * H;
                x_panels.multiply(x_panels.factors(b.W, tile, 0, G * H, d, G * H), alive, sums);
                x_panels.finish(tile, alive, [&](long r, long u, long n, long at) {
                    store(b.dx + (offset + r) * b.I + u, load(sums + at), n);
                });
            }
    }

    // Rows that began at step s, in time: what is left of their gradient is that of the first state.
    void leave(long s, long tile, float* sums) {
        const long alive = walk.alive(s), known = walk.alive(s + 1), offset = walk.offset(s);
        const Panels& panels = recurrent[0];
        if (b.dh0) through_R(tile, offset, known, alive, sums, [](long, long) {});
        panels.finish(tile, alive - known, [&](long k, long u, long n, long at) {
            const long r = known + k, to = (first + r) * H + u;
            if (b.dh0) {
                vec dh = masked(load(sums + at), r, u, n);
                store(b.dh0 + to, carries ? dh + load(past_(r * H + u), n) : dh, n);
            }
            if (cell == Cell::lstm && b.dc0) store(b.dc0 + to, load(dc_(r * H + u), n), n);
        });
    }

    const Backward<Number>& b;
    const long first, rows;
    const Walk walk;
    const long H = b.in.H, all_gates = gates_size(cell, H);
    const Products recurrent;
    const Panels x_panels;
    // So many steps share a reading of W: tiles multiply faster than it comes from beyond the second cache.
    // Their gradients still lie in that.
    const long steps_of_dx = TILED ? max(1, (512 << 10) / (rows * G * H * (long)sizeof(Operand))) : 1;
    const bool carries;  // whether h reaches the next one past R too
    Buffer<> dc_, past_;
    Tickets tickets;
};

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
