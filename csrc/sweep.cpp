// The sweeps of one instruction set, ELMAN_ISA, for the table in sweep.h.
//
// A step is a product of h (or of the gate gradients) with R, a tile of units at a time: the sums
// of all rows and all gates of the tile are made in registers, parked in the first-level cache, and
// finished at once. Nothing here may call an inline function of the standard library: the linker
// keeps one copy for all translation units, and might keep one that this processor cannot run.
#include "sweep.h"

#include "backward.h"
#include "forward.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

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
    with_sweep<Sweep>(p, first, last, [](auto& sweep) {
        const TilesInUse tiles;
        sweep.run();
    });
}

template <template <Cell> class Sweep, class Problem>
void together(const Problem& p, Spread spread, void* context) {
    with_sweep<Sweep>(p, 0, p.in.B, [&](auto& sweep) {
        using Made = decltype(&sweep);
        const auto work = [](void* shared) {
            const TilesInUse tiles;
            ((Made)shared)->join();
        };
        spread(context, work, &sweep);
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
    const Kernels<isa::Number> KERNELS(isa) = {isa::packed_size,              \
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
