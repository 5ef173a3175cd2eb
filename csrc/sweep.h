// The sequential part of a recurrent layer, forward and backward: what the extension computes.
//
// B batch, T time, I input, H hidden, G gates of a cell, N rows of a packed sequence, V symbols, W
// lanes of a vector. Rows are time-major: step t owns rows offsets[t] .. offsets[t] + sizes[t], and
// sizes never grow. Matrices are row-major and dense. Gates lie in PyTorch's order: i f g o, and r z
// n. Pointers are borrowed for the time of the call. Null stands for what is not there or not asked.
#pragma once

#include "numbers.h"

namespace elman {

enum class Cell : int { rnn_tanh, rnn_relu, lstm, gru, gru_reset_before };

constexpr int gates(Cell cell) {
    return cell == Cell::lstm ? 4 : cell == Cell::gru || cell == Cell::gru_reset_before ? 3 : 1;
}

// Numbers that the gates of a row take, kept for backward: a vector of units of each gate in turn.
constexpr int64_t gates_size(Cell cell, int64_t H) { return gates(cell) * ((H + 15) / 16 * 16); }

struct Sequence {
    Cell cell;
    bool reverse;  // the last step comes first
    int64_t T, B, H;
    const int64_t* sizes;    // [T]
    const int64_t* offsets;  // [T]
};

// What sits inside the recurrence.
struct Inside {
    const float* mask;    // [B, H] times the h that goes into R, or null
    const float* norm;    // [G*H] or null: layer norm of R h, gate by gate, times these gains
    const float* keep_h;  // [N, H] or null: the share of its old value that a state keeps, zoneout
    const float* keep_c;  // the same, of lstm
    int64_t keep_step;    // floats from one row of these to the next; 0 if one row serves all
};

// The state before, the inputs, and what becomes of them. The input's share W x comes as rows, as
// rows of a table, or as x [N, I] and the packed W.
template <class Number>
struct Forward {
    using Operand = typename Number::Operand;
    using Saved = typename Number::Saved;
    Sequence in;
    Inside inside;
    const float* Wx;      // [N, G*H], or with ids [V, G*H], or null
    const int64_t* ids;   // [N] or null
    const Operand* x;     // [N, I], where Wx is null
    const Operand* W;     // packed, see Kernels::pack
    int64_t I;
    const Operand* R;     // packed
    const float* bias;    // [G*H] or null, added to W x
    const float* bias_n;  // [H] or null, of gru: the recurrent bias of n, which r multiplies
    const float* h0;      // [B, H]
    const float* c0;      // [B, H] of lstm
    Operand* y;           // [N, H] out
    float* hn;            // [B, H] out
    float* cn;            // [B, H] out, of lstm
    // What backward will need, or null.
    Saved* gates;   // [N, gates_size] out; of rnn the new h, with zoneout or where y is coarser
    float* kept;    // [N, H] out: new c of lstm, R_n h + b of gru
    Operand* met;   // [N, H] out: what R_n meets of gru-reset-before
    float* c;       // [N, H] out, of lstm with zoneout: c after it
    float* normed;  // [N, G*H] out, with norm: R h normed, before the gains
    float* scale;   // [N, G] out, with norm: 1 / standard deviation
};

// What forward left behind, the gradients that come in, and those that go out.
template <class Number>
struct Backward {
    using Operand = typename Number::Operand;
    using Saved = typename Number::Saved;
    Sequence in;
    Inside inside;
    const Operand* R;     // packed for backward
    const Operand* W;     // packed for backward, where dx is asked
    int64_t I;
    const Saved* gates;   // [N, gates_size]; null: those of rnn are y
    const float* kept;    // [N, H]
    const float* c;       // [N, H] of lstm: c after each step
    const float* normed;  // [N, G*H] with norm
    const float* scale;   // [N, G] with norm
    const Operand* y;     // [N, H]
    const float* h0;      // [B, H]
    const float* c0;      // [B, H] of lstm
    const Operand* dy;    // [N, H] or null
    const float* dhn;     // [B, H] or null
    const float* dcn;     // [B, H] or null
    Operand* dWx;         // [N, G*H] out
    Operand* dRn;         // [N, H] out, of gru: the gradient of R_n h + b
    Operand* dRh;         // [N, G*H] out, with norm: the gradient of R h before the norm
    Operand* dx;          // [N, I] out or null
    float* dh0;           // [B, H] out or null
    float* dc0;           // [B, H] out or null, of lstm
};

// What a matrix is packed for: to give gates forward, or from their gradients dh, or dx.
enum class Packing { to_gates, to_state, to_input };

// Calls work(sweep) in as many threads as it has, and comes back when all calls have.
using Spread = void (*)(void* context, void (*work)(void* sweep), void* sweep);

// One build of the sweeps, for one instruction set. Its functions run in the calling thread, but for
// the two that say so.
template <class Number>
struct Kernels {
    // Operands that a matrix [G*H, K] takes once packed, and the packing of a part of it, 64-byte
    // aligned: part 0 .. parts - 1.
    int64_t (*packed_size)(Cell cell, int64_t H, int64_t K, Packing matrix);
    void (*pack)(Cell cell, int64_t H, int64_t K, Packing matrix, const float* from,
                 typename Number::Operand* to, int64_t part, int64_t parts);
    // Rows first .. last of the batch, through all steps. Rows are independent of each other, and
    // a row's result does not depend on which rows go with it.
    void (*forward)(const Forward<Number>& f, int64_t first, int64_t last);
    void (*backward)(const Backward<Number>& b, int64_t first, int64_t last);
    // All rows at once; the threads that `spread` calls in share the units of each step, and one
    // alone will do. For padded sequences without norm, and backward without dx.
    void (*forward_together)(const Forward<Number>& f, Spread spread, void* context);
    void (*backward_together)(const Backward<Number>& b, Spread spread, void* context);
    // The activations themselves, for tests: n floats.
    void (*tanh)(const float* x, float* to, int64_t n);
    void (*sigmoid)(const float* x, float* to, int64_t n);
};

extern const Kernels<Single> portable_kernels;
#if defined(__x86_64__)
extern const Kernels<Single> avx2_kernels;
extern const Kernels<Single> avx512_kernels;
extern const Kernels<Half> avx512bf16_kernels;
extern const Kernels<Half> amx_kernels;
#elif defined(__aarch64__)
extern const Kernels<Half> neonbf16_kernels;
#endif

}  // namespace elman
