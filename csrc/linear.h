// Gated linear recurrences: h = keep * h + enter * next, unit by unit, where keep, enter and next
// come from the input alone. There is no product in such a sweep; it waits for memory.
//
// B batch, T time, H hidden, G gates of a cell, N rows of a packed sequence, W lanes of a vector.
// Rows are time-major: step t owns rows offsets[t] .. offsets[t] + sizes[t], and sizes never grow.
// Matrices are float32, row-major and dense. Pointers are borrowed for the time of the call.
#pragma once

#include <cstdint>

namespace elman {

enum class LinearCell : int { mingru, minlstm, hgrn };  // gates: z n; f i n; f c

constexpr int gates(LinearCell cell) { return cell == LinearCell::minlstm ? 3 : 2; }

struct LinearSequence {
    LinearCell cell;
    bool reverse;  // the last step comes first
    int64_t T, B, H;
    const int64_t* sizes;    // [T]
    const int64_t* offsets;  // [T]
    const float* Wx;         // [N, G*H]
    const float* bias;       // [G*H] or null, added to W x
};

struct LinearForward {
    LinearSequence in;
    float* h;  // [B, H] the state before all steps in, after them out
    float* y;  // [N, H] out
};

// keep, enter and next are made anew from W x: that takes less time than to write and read them.
struct LinearBackward {
    LinearSequence in;
    const float* y;   // [N, H]
    const float* h0;  // [B, H]
    const float* dy;  // [N, H] or null for zero
    float* dh;        // [B, H] the gradient of the state after in, of that before out
    float* dWx;       // [N, G*H] out
};

// Rows first_row .. last_row and units first_unit .. last_unit of a batch, through all steps.
struct LinearPart {
    int64_t first_row, last_row, first_unit, last_unit;
};

// One build of the sweeps, for one instruction set. All its functions run in the calling thread.
// A unit of a row does not depend on any other, nor on the part that it is in.
struct LinearKernels {
    void (*forward)(const LinearForward& f, const LinearPart& part);
    void (*backward)(const LinearBackward& b, const LinearPart& part);
};

extern const LinearKernels portable_linear;
#if defined(__x86_64__)
extern const LinearKernels avx2_linear;
extern const LinearKernels avx512_linear;
#endif

}  // namespace elman
