// What both sweeps go by: the products of a cell, the order of the steps, and how threads share them.
#pragma once

#include <sched.h>

#include "panels.h"
#include "sweep.h"

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
Products packing(Cell cell, long H, long K, Packing matrix) {
    if (matrix == Packing::to_input) {
        Products whole;
        whole.panels[0] = Panels(K, gates(cell) * H, 1);
        whole.count = 1;
        return whole;
    }
    return Products(cell, H, K, matrix == Packing::to_state);
}

int64_t packed_size(Cell cell, int64_t H, int64_t K, Packing matrix) {
    return packing(cell, H, K, matrix).size();
}

void pack(Cell cell, int64_t H, int64_t K, Packing matrix, const float* from, Operand* to,
          int64_t part, int64_t parts) {
    const Products p = packing(cell, H, K, matrix);
    const auto one = matrix == Packing::to_gates ? &Panels::pack_forward : &Panels::pack_backward;
    for (int k = 0; k < p.count; ++k) {
        const long tiles = p[k].tiles, after = k * 2 * H * K;
        (p[k].*one)(from + after, to + (k ? p[0].size() : 0), tiles * part / parts,
                    tiles * (part + 1) / parts);
    }
}

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

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
