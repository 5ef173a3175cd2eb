// Compiled once for each instruction set, with ELMAN_ISA as its name.
//
// As in sweep.cpp, nothing here may call an inline function of the standard library.
#include "readout.h"

#include <math.h>

#include "vector.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

constexpr float NEVER = -__builtin_inff();

INLINE long min(long a, long b) { return a < b ? a : b; }

INLINE float sum(vec a) {
    float all = 0;
    for (long lane = 0; lane < W; ++lane) all += a[lane];
    return all;
}

INLINE float score(const Looked& at, const float* q, const float* key) {
    vec s{};
    for (long k = 0; k < at.A; k += W) {
        const long n = min(W, at.A - k);
        const vec a = load(q + k, n), b = load(key + k, n);
        s = at.v ? fma(load(at.v + k, n), tanh(a + b), s) : fma(a, b, s);
    }
    return sum(s);
}

void attend(const Looked& at, const float* q, float* shares, float* found) {
    float most = NEVER, all = 0;
    for (long s = 0; s < at.S; ++s) {
        shares[s] = score(at, q, at.keys + s * at.A);
        most = shares[s] > most ? shares[s] : most;
    }
    for (long s = 0; s < at.S; s += W) {
        const long n = min(W, at.S - s);
        store(shares + s, decay(load(shares + s, n) - most), n);
    }
    for (long s = 0; s < at.S; ++s) all += shares[s];
    for (long s = 0; s < at.S; ++s) shares[s] /= all;
    for (long m = 0; m < at.M; m += W) {
        const long n = min(W, at.M - m);
        vec a{};
        for (long s = 0; s < at.S; ++s)
            a = fma(splat(shares[s]), load(at.memory + s * at.M + m, n), a);
        store(found + m, a, n);
    }
}

void tanhs(float* x, int64_t n) {
    for (long k = 0; k < n; k += W) store(x + k, tanh(load(x + k, min(W, n - k))), min(W, n - k));
}

Mass mass(const float* x, int64_t n) {
    const long whole = n / W * W;
    vec high = splat(NEVER), sums[4] = {};
    for (long k = 0; k < whole; k += W) high = at_least(high, load(x + k));
    float most = NEVER;
    for (long lane = 0; lane < W; ++lane) most = high[lane] > most ? high[lane] : most;
    for (long k = whole; k < n; ++k) most = x[k] > most ? x[k] : most;
    for (long k = 0; k < whole; k += W)
        sums[k / W % 4] = sums[k / W % 4] + decay(load(x + k) - most);
    float all = sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
    const vec rest = decay(load(x + whole, n - whole) - most);
    for (long k = whole; k < n; ++k) all += rest[k - whole];
    return {most, all};
}

void log_softmax(const float* x, float* to, int64_t n) {
    const Mass all = mass(x, n);
    const float log_sum = logf(all.sum);
    for (long k = 0; k < n; k += W) {
        const long lanes = min(W, n - k);
        store(to + k, (load(x + k, lanes) - all.most) - log_sum, lanes);
    }
}

int64_t largest(const float* x, int64_t n) {
    const long whole = n / W * W;
    ivec at{}, here{};
    vec best = splat(NEVER);
    for (long lane = 0; lane < W; ++lane) here[lane] = (int32_t)lane;
    for (long k = 0; k < whole; k += W, here += (int32_t)W) {
        const vec a = load(x + k);
        const auto more = a > best;
        best = more ? a : best;
        at = more ? here : at;
    }
    int64_t found = 0;
    float most = NEVER;
    for (long lane = 0; lane < W; ++lane)
        if (best[lane] > most || (best[lane] == most && at[lane] < found)) {
            most = best[lane];
            found = at[lane];
        }
    for (long k = whole; k < n; ++k)
        if (x[k] > most) {
            most = x[k];
            found = k;
        }
    return found;
}

}  // namespace
}  // namespace ELMAN_ISA

#define NAME(isa) #isa
#define READOUT(isa) isa##_readout
#define DEFINE(isa) \
    const ReadoutKernels READOUT(isa) = {NAME(isa),  isa::attend,      isa::tanhs, \
                                         isa::mass, isa::log_softmax, isa::largest};
#define EXPAND(macro, isa) macro(isa)
EXPAND(DEFINE, ELMAN_ISA)

}  // namespace elman
