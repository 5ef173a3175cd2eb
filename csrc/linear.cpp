// Gated linear recurrences. Compiled once for each instruction set, with ELMAN_ISA as its name.
// Nothing here may call an inline function of the standard library: see sweep.cpp.
#include "linear.h"

#include "vector.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

INLINE long min(long a, long b) { return a < b ? a : b; }
INLINE long max(long a, long b) { return a > b ? a : b; }

// e^-a: 0 from a = 88 on, and below a = -80 that of -80, whose inverse is still a normal number.
INLINE vec exp_minus(vec a) {
    auto [scale, m] = exponential<-1>(at_least(splat(-80.0f), at_most(splat(88.0f), a)));
    return fma(scale, m, scale);
}

// ---- The cells -----------------------------------------------------------------------------
// Each makes `keep`, `enter` and `next` from the gates' inputs w; keep + enter = 1. `backward` goes
// from the gradients of enter (keep's, its negative, included) and next to those of w.
// `below` is 1 - u / H for unit u.

// g(a) = a + 0.5 if a >= 0 else sigmoid(a)
INLINE vec g(vec a) { return a >= 0.0f ? a + 0.5f : sigmoid(a); }
INLINE vec g_backward(vec a, vec ga, vec d) { return a >= 0.0f ? d : d * ga * (1.0f - ga); }

struct MinGRU {
    static constexpr int G = 2;
    vec a, keep, enter, next;

    INLINE MinGRU(const vec* w, vec) : a(w[1]), enter(sigmoid(w[0])), next(g(a)) {
        keep = 1.0f - enter;
    }
    INLINE void backward(vec denter, vec dnext, vec* d) const {
        d[0] = denter * enter * keep;
        d[1] = g_backward(a, next, dnext);
    }
};

struct MinLSTM {
    static constexpr int G = 3;
    vec a, keep, enter, next, f, i;  // f and i are e^-w here

    // F = (1/f) / (1/f + 1/i) the other way round: with f = 1 / (1 + e^-w), F = (1 + e^-w_i) / sum.
    // Where both gates are below e^-20, the 1 does not count, and both are raised by one factor.
    INLINE MinLSTM(const vec* w, vec) : a(w[2]), next(g(a)) {
        vec raise = at_least(splat(0.0f), -20.0f - at_least(w[0], w[1]));
        f = exp_minus(w[0] + raise);
        i = exp_minus(w[1] + raise);
        vec inverse = 1.0f / ((1.0f + f) + (1.0f + i));
        keep = or_zero((1.0f + i) * inverse);
        enter = or_zero((1.0f + f) * inverse);
    }
    // So small a share comes from an e^-w that was cut off, and no sum of floats can tell it from 0.
    static INLINE vec or_zero(vec share) { return share < 1e-25f ? splat(0.0f) : share; }
    INLINE void backward(vec denter, vec dnext, vec* d) const {
        vec dratio = denter * enter * keep;  // the gradient of log i - log f
        d[0] = -dratio * f / (1.0f + f);
        d[1] = dratio * i / (1.0f + i);
        d[2] = g_backward(a, next, dnext);
    }
};

struct HGRN {
    static constexpr int G = 2;
    vec s, open, keep, enter, next;

    INLINE HGRN(const vec* w, vec below) : s(sigmoid(w[1])), open(sigmoid(-w[0])) {
        enter = below * open;
        keep = 1.0f - enter;
        next = w[1] * s;
    }
    INLINE void backward(vec denter, vec dnext, vec* d) const {
        d[0] = -denter * enter * (1.0f - open);
        d[1] = dnext * fma(next, 1.0f - s, s);
    }
};

// ---- Through time --------------------------------------------------------------------------
// What a sweep works on comes by value: stores could change what lies behind a reference, for all
// that the compiler knows, and it would be read again after each.

// The inputs of all gates for n units from u on, and what a cell makes of them.
template <class Cell>
INLINE Cell gates_at(const LinearSequence& in, const float* Wx, long u, long n) {
    vec w[Cell::G], unit;
    for (int g = 0; g < Cell::G; ++g) {
        w[g] = load(Wx + g * in.H + u, n);
        if (in.bias) w[g] = w[g] + load(in.bias + g * in.H + u, n);
    }
    for (int k = 0; k < W; ++k) unit[k] = (float)k;
    return Cell(w, (splat((float)(in.H - u)) - unit) * splat(1.0f / (float)in.H));
}

// at(unit, lanes in use) for the units of a part, a vector of them at a time.
template <class At>
INLINE void each_vector(const LinearPart& part, At at) {
    long u = part.first_unit;
    for (; u + W <= part.last_unit; u += W) at(u, W);
    if (u < part.last_unit) at(u, part.last_unit - u);
}

// A walk through the rows of a sequence, and how far it looks ahead: about a page of W x. Within a
// page the hardware foresees what comes, the jumps from row to row it does not.
struct Walk {
    const LinearSequence& in;
    bool down;  // from the last step to the first
    long last, ahead;

    Walk(const LinearSequence& in, bool down, long G)
        : in(in), down(down), last(in.offsets[in.T - 1] + in.sizes[in.T - 1] - 1) {
        ahead = (1024 + G * in.H - 1) / (G * in.H) * (down ? -1 : 1);
    }
    long time(long s) const { return down ? in.T - 1 - s : s; }
    long soon(long row) const { return max(0, min(row + ahead, last)); }
};

INLINE void prefetch(const float* p) { __builtin_prefetch(p, 0, 3); }

template <class Cell>
void forward_cell(const LinearForward f, const LinearPart part) {
    constexpr long G = Cell::G;
    const long H = f.in.H;
    const Walk walk(f.in, f.in.reverse, G);
    for (long s = 0; s < f.in.T; ++s) {
        const long t = walk.time(s), alive = min(part.last_row, f.in.sizes[t]);
        for (long r = part.first_row; r < alive; ++r) {
            const long row = f.in.offsets[t] + r, soon = walk.soon(row);
            each_vector(part, [&](long u, long n) {
                for (long g = 0; g < G; ++g) prefetch(f.in.Wx + (soon * G + g) * H + u);
                prefetch(f.y + soon * H + u);
                const Cell c = gates_at<Cell>(f.in, f.in.Wx + row * G * H, u, n);
                float* h = f.h + r * H + u;  // who has ended, or not begun, keeps it
                vec next = fma(c.keep, load(h, n), c.enter * c.next);
                store(h, next, n);
                store(f.y + row * H + u, next, n);
            });
        }
    }
}

template <class Cell>
void backward_cell(const LinearBackward b, const LinearPart part) {
    constexpr long G = Cell::G;
    const long H = b.in.H;
    const Walk walk(b.in, !b.in.reverse, G);
    for (long s = 0; s < b.in.T; ++s) {
        const long t = walk.time(s), alive = min(part.last_row, b.in.sizes[t]);
        // The step that forward took before this one, and the rows that were alive in it.
        const bool first = s + 1 == b.in.T;
        const long before = first ? 0 : b.in.offsets[walk.time(s + 1)];
        const long known = first ? 0 : b.in.sizes[walk.time(s + 1)];
        for (long r = part.first_row; r < alive; ++r) {
            const long row = b.in.offsets[t] + r, soon = walk.soon(row);
            const float* h = r < known ? b.y + (before + r) * H : b.h0 + r * H;
            const float* h_soon = b.y + walk.soon(before + r) * H;
            each_vector(part, [&](long u, long n) {
                for (long g = 0; g < G; ++g) {
                    prefetch(b.in.Wx + (soon * G + g) * H + u);
                    prefetch(b.dWx + (soon * G + g) * H + u);
                }
                prefetch(h_soon + u);
                if (b.dy) prefetch(b.dy + soon * H + u);
                const Cell c = gates_at<Cell>(b.in, b.in.Wx + row * G * H, u, n);
                float* carried = b.dh + r * H + u;
                vec dh = load(carried, n), d[G];
                if (b.dy) dh = dh + load(b.dy + row * H + u, n);
                c.backward(dh * (c.next - load(h + u, n)), dh * c.enter, d);
                store(carried, dh * c.keep, n);
                for (long g = 0; g < G; ++g) store(b.dWx + (row * G + g) * H + u, d[g], n);
            });
        }
    }
}

void forward(const LinearForward& f, const LinearPart& part) {
    switch (f.in.cell) {
        case LinearCell::mingru: return forward_cell<MinGRU>(f, part);
        case LinearCell::minlstm: return forward_cell<MinLSTM>(f, part);
        case LinearCell::hgrn: return forward_cell<HGRN>(f, part);
    }
}

void backward(const LinearBackward& b, const LinearPart& part) {
    switch (b.in.cell) {
        case LinearCell::mingru: return backward_cell<MinGRU>(b, part);
        case LinearCell::minlstm: return backward_cell<MinLSTM>(b, part);
        case LinearCell::hgrn: return backward_cell<HGRN>(b, part);
    }
}

}  // namespace
}  // namespace ELMAN_ISA

#define TABLE(isa) isa##_linear
#define DEFINE(isa) const LinearKernels TABLE(isa) = {isa::forward, isa::backward};
#define EXPAND(macro, isa) macro(isa)
EXPAND(DEFINE, ELMAN_ISA)

}  // namespace elman
