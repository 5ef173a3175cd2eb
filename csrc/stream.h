// One step of a stack of layers for a row or a few: matrix-vector products that stream packed
// weights, finished unit by unit in registers.
//
// K inputs, H units, G gates of a product, S sums of a unit, W lanes of a vector. A tile is V
// vectors of units with all their gates; the rows of a matrix lie in tiles, [tile, K, G, V, W], so
// that a product reads its weights once, in order, and needs no sum across lanes.
#pragma once

#include <cstdint>

namespace elman {

// int8: each row of a matrix has a scale, each input vector one of its own, found when it comes.
enum class Storage : int { float32, float16, int8 };

enum class Unit : int {
    rnn_tanh,
    rnn_relu,
    lstm,
    gru,
    gru_reset_before,
    mingru,
    minlstm,
    linear,  // no recurrence: the matrix behind the last layer
};

// A packed matrix. Units beyond H have zero weights.
struct Matrix {
    int64_t K, G;
    const void* values;      // [tile, K, G, V, W]; int8: [tile, K / 4, G, V, W, 4], K rounded up
    const float* scale;      // int8: [tile, G, V, W]
    const int32_t* zero;     // int8: as scale, 128 times the sum of a row's weights
};

struct Layer {
    Unit unit;
    Storage storage;
    int64_t H, V, tiles, width;  // width = tiles * V * W, at least H
    Matrix x, h, rh;       // K = 0: no such product. `rh` of gru_reset_before: n against r * h
    const float* bias;     // [S, width]
    float zoneout;         // share of the old state in the new one
};

// What a product multiplies with.
struct Vector {
    const float* values;  // [K]
    const uint8_t* bytes;  // int8: values / scale + 128, [K rounded up to 4]
    float scale;
};

// One row of a step. Vectors of units are `width` floats long.
struct Row {
    const float* table;  // [G, width] of the token read, added to the sums; or null
    Vector x, h, rh;
    float* h_after;
    float* c;            // of lstm, replaced
    const float* skip;   // the input, where it is added to the output
    float* y;            // the output, where it is not h_after
    float *product, *z, *n;  // of gru_reset_before, between its two passes: r * h, z, W_n x
};

// One build, for one instruction set. Everything runs in the calling thread.
struct StreamKernels {
    const char* name;
    // Sets V, tiles and width.
    void (*cut)(Layer& layer);
    // Bytes of a packed matrix, and the packing of rows [G * H, K] of the layer's storage into `to`,
    // 64-byte aligned; `scale` [G * H] goes with int8.
    int64_t (*packed_bytes)(const Layer& layer, int64_t K, int64_t G);
    void (*pack)(const Layer& layer, int64_t K, int64_t G, const void* rows, void* to);
    // Sets `bytes` [K rounded up to 4] and the scale of a vector; NaN where a value is not finite.
    float (*quantise)(const float* values, int64_t K, uint8_t* bytes);
    // Tiles first .. last of a step, for B rows. Pass 1 is the second one of gru_reset_before.
    void (*run)(const Layer& layer, const Row* rows, int64_t B, int pass, int64_t first,
                int64_t last);
    // e^x in place of each x <= 0, within a few units of the last place; 0 below -700.
    void (*exponentials)(double* x, int64_t n);
};

// Sums that a unit needs, and the gates in its product with x, with h, and with r * h.
constexpr int sums(Unit unit) {
    switch (unit) {
        case Unit::lstm:
        case Unit::gru: return 4;  // gru: r, z, W_n x, R_n h
        case Unit::gru_reset_before:
        case Unit::minlstm: return 3;
        case Unit::mingru: return 2;
        default: return 1;
    }
}
constexpr int gates_x(Unit unit) { return unit == Unit::gru ? 3 : sums(unit); }
constexpr int gates_h(Unit unit) {
    switch (unit) {
        case Unit::mingru:
        case Unit::minlstm:
        case Unit::linear: return 0;
        case Unit::gru_reset_before: return 2;
        default: return gates_x(unit);
    }
}
constexpr int gates_rh(Unit unit) { return unit == Unit::gru_reset_before ? 1 : 0; }

extern const StreamKernels portable_stream;
#if defined(__x86_64__)
extern const StreamKernels avx2_stream;
extern const StreamKernels avx512_stream;
extern const StreamKernels avx512vnni_stream;
#endif

}  // namespace elman
