// The sequential part of a recurrent layer, forward and backward: what the extension computes.
//
// B batch, T time, H hidden, G gates of a cell, N rows of a packed sequence, W lanes of a vector.
// Rows are time-major: step t owns rows offsets[t] .. offsets[t] + sizes[t], and sizes never grow.
// Matrices are float32, row-major and dense. Gates lie in PyTorch's order: i f g o, and r z n.
// Pointers are borrowed for the time of the call. Null stands for what is not there or not asked.
#pragma once

#include <cstdint>

namespace elman {

enum class Cell : int { rnn_tanh, rnn_relu, lstm, gru, gru_reset_before };

constexpr int gates(Cell cell) {
    return cell == Cell::lstm ? 4 : cell == Cell::gru || cell == Cell::gru_reset_before ? 3 : 1;
}

struct Sequence {
    Cell cell;
    bool reverse;  // the last step comes first
    int64_t T, B, H;
    const int64_t* sizes;    // [T]
    const int64_t* offsets;  // [T]
};

// The state before, the inputs, and what becomes of them.
struct Forward {
    Sequence in;
    const float* R;       // packed, see Kernels::pack
    const float* bias;    // [G*H] or null, added to W x
    const float* bias_n;  // [H] or null, of gru: the recurrent bias of n, which r multiplies
    float* Wx;            // [N, G*H]; lstm and gru put the gates in its place if `store`
    const float* h0;      // [B, H]
    const float* c0;      // [B, H] of lstm
    float* y;             // [N, H] out
    float* hn;            // [B, H] out
    float* cn;            // [B, H] out, of lstm
    float* kept;          // [N, H] out, if `store`: c of lstm, R_n h + b of gru, r * h of reset before
    bool store;           // backward will follow
};

// What forward left behind, the gradients that come in, and those that go out.
struct Backward {
    Sequence in;
    const float* R;      // packed for backward
    const float* gates;  // [N, G*H], not of rnn
    const float* kept;   // [N, H], not of rnn
    const float* y;      // [N, H]
    const float* h0;     // [B, H]
    const float* c0;     // [B, H] of lstm
    const float* dy;     // [N, H] or null
    const float* dhn;    // [B, H] or null
    const float* dcn;    // [B, H] or null
    float* dWx;          // [N, G*H] out
    float* dRn;          // [N, H] out, of gru: the gradient of R_n h + b
    float* dh0;          // [B, H] out
    float* dc0;          // [B, H] out, of lstm
};

// One build of the sweeps, for one instruction set. All its functions run in the calling thread.
struct Kernels {
    const char* name;
    // Floats that R takes once packed, and the packing of R [G*H, H] into `to`, 64-byte aligned.
    int64_t (*packed_size)(Cell cell, int64_t H, bool backward);
    void (*pack)(Cell cell, int64_t H, bool backward, const float* R, float* to);
    // Rows first .. last of the batch, through all steps. Rows are independent of each other, and
    // a row's result does not depend on which rows go with it.
    void (*forward)(const Forward& f, int64_t first, int64_t last);
    void (*backward)(const Backward& b, int64_t first, int64_t last);
    // The activations themselves, for tests: n floats.
    void (*tanh)(const float* x, float* to, int64_t n);
    void (*sigmoid)(const float* x, float* to, int64_t n);
};

extern const Kernels portable_kernels;
#if defined(__x86_64__)
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
#endif

}  // namespace elman
