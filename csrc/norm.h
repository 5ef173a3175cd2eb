// Layer norm of R h, gate by gate, forward and backward.
#pragma once

#include "panels.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

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
    void backward(const Operand* d, const Operand* n, long rows, const float* gain,
                  const float* normed, const float* scale, Operand* to) const {
        for (long r = 0; r < rows; ++r)
            for (long g = first; g < last; ++g) {
                const Operand* dy = n && g == G - 1 ? n + r * H : d + (r * G + g) * H;
                const float* x = normed + (r * G + g) * H;
                Operand* dx = to + (r * G + g) * H;
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

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
