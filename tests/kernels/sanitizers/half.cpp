// The sweeps and gradients in bf16 beside those in float32, and rows alone beside the same rows in a batch,
// without Python: for processors that are at hand as an emulator only. Sizes of the latter are drawn at
// random; an argument is the seed.
//
//     make half                   # this processor's
//     make half-amx               # the same, by tiles
//     make half-arm               # ARM's, by a cross compiler and qemu
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "gradient.h"
#include "sweep.h"

using namespace elman;

#define JOINED(a, b) a##b
#define OF(isa, what) JOINED(isa, what)
#define HALF_KERNELS OF(ELMAN_HALF_ISA, _kernels)
#define HALF_GRADIENTS OF(ELMAN_HALF_ISA, _gradients)

namespace {

template <class T>
T made(float a);

template <>
float made(float a) {
    return a;
}

template <>
bf16 made(float a) {  // cut off; what is drawn below has no more digits
    uint32_t bits;
    std::memcpy(&bits, &a, sizeof bits);
    return {(uint16_t)(bits >> 16)};
}

float value(float a) { return a; }

float value(bf16 a) {
    const uint32_t bits = (uint32_t)a.bits << 16;
    float b;
    std::memcpy(&b, &bits, sizeof b);
    return b;
}

// Aligned numbers, the same whatever their type.
template <class T>
class Drawn {
  public:
    Drawn(size_t count, unsigned seed, float scale) : all_(count + 64) {
        const size_t past = (uintptr_t)all_.data() % 64 / sizeof(T);
        start_ = all_.data() + (past ? 64 / sizeof(T) - past : 0);
        std::mt19937 generator(seed);
        std::normal_distribution<float> normal(0.0f, scale);
        for (size_t k = 0; k < count; ++k) start_[k] = made<T>(value(made<bf16>(normal(generator))));
    }
    T* operator()() const { return start_; }

  private:
    std::vector<T> all_;
    T* start_;
};

template <class T>
std::vector<T> empty(size_t count) {
    return std::vector<T>(count);
}

struct Sizes {
    int64_t T, B, H, I;
};

// Calls work(first, last) for 0 .. n at once, or in pieces of up to `most` that are drawn.
template <class Work>
void cut(int64_t n, int64_t most, std::mt19937* pieces, const Work& work) {
    for (int64_t first = 0, last; first < n; first = last) {
        last = pieces ? std::min(n, first + 1 + (int64_t)((*pieces)() % (unsigned)most)) : n;
        work(first, last);
    }
}

// y, the gradients of x, W and R, and the last h. With `pieces` a few rows at a time.
template <class Number>
std::vector<float> trained(const Kernels<Number>& sweeps, const Gradients<Number>& gradients,
                           Cell cell, const Sizes& drawn, std::mt19937* pieces = nullptr) {
    using Operand = typename Number::Operand;
    const int64_t T = drawn.T, B = drawn.B, H = drawn.H, I = drawn.I;
    const size_t G = (size_t)gates(cell), N = T * B, h = H;
    std::vector<int64_t> sizes(T, B), offsets(T);
    for (int64_t t = 0; t < T; ++t) offsets[(size_t)t] = t * B;
    const float scale = 0.5f / std::sqrt((float)H);
    const Drawn<float> R(G * h * h, 1, scale), W(G * h * I, 2, scale), first(2 * B * h, 3, 1.0f);
    const Drawn<Operand> x(N * I, 4, 1.0f), dy(N * h, 5, 1.0f), h0(B * h, 3, 1.0f);

    const auto packed = [&](int64_t K, Packing matrix, const float* from) {
        Drawn<Operand> to((size_t)sweeps.packed_size(cell, H, K, matrix), 0, 1.0f);
        sweeps.pack(cell, H, K, matrix, from, to(), 0, 1);
        return to;
    };
    const auto R_forward = packed(H, Packing::to_gates, R()), W_forward = packed(I, Packing::to_gates, W());
    const auto R_back = packed(H, Packing::to_state, R()), W_back = packed(I, Packing::to_input, W());

    auto y = empty<Operand>(N * h), met = empty<Operand>(N * h);
    auto last = empty<float>(2 * B * h), kept = empty<float>(N * h);
    auto gates_ = empty<typename Number::Saved>(N * (size_t)gates_size(cell, H));
    Forward<Number> f{};
    f.in = {cell, false, T, B, H, sizes.data(), offsets.data()};
    f.x = x(), f.W = W_forward(), f.I = I, f.R = R_forward();
    f.h0 = first(), f.c0 = first() + B * h;
    f.y = y.data(), f.hn = last.data(), f.cn = last.data() + B * h;
    f.gates = gates_.data(), f.kept = kept.data(), f.met = met.data();
    cut(B, 3, pieces, [&](int64_t first, int64_t last) { sweeps.forward(f, first, last); });

    auto dWx = empty<Operand>(N * G * h), dRn = empty<Operand>(N * h), dx = empty<Operand>(N * I);
    auto dfirst = empty<float>(2 * B * h);
    Backward<Number> b{};
    b.in = f.in, b.R = R_back(), b.W = W_back(), b.I = I, b.gates = gates_.data();
    b.kept = kept.data(), b.c = kept.data(), b.y = y.data(), b.h0 = f.h0, b.c0 = f.c0, b.dy = dy();
    b.dWx = dWx.data(), b.dRn = dRn.data(), b.dx = dx.data();
    b.dh0 = dfirst.data(), b.dc0 = dfirst.data() + B * h;
    cut(B, 3, pieces, [&](int64_t first, int64_t last) { sweeps.backward(b, first, last); });

    std::vector<const Operand*> rows, states;
    for (size_t n = 0; n < N; ++n) {
        rows.push_back(x() + n * I);
        states.push_back(n < (size_t)B ? h0() + n * h : y.data() + (n - B) * h);
    }
    auto dW = empty<float>(G * h * I), dR = empty<float>(G * h * h), total = empty<float>(G * h);
    Gradient<Number> g{(int64_t)N, (int64_t)(G * h), dWx.data(), (int64_t)(G * h),
                       {{I, rows.data(), nullptr, dW.data()}, {H, states.data(), nullptr, dR.data()}},
                       2, total.data()};
    cut((int64_t)(G * h), (int64_t)(G * h), pieces,
        [&](int64_t first, int64_t last) { gradients.gradient(g, first, last); });

    std::vector<float> all;
    for (const auto& a : y) all.push_back(value(a));
    for (const auto& a : dx) all.push_back(value(a));
    for (const auto* each : {&last, &dfirst, &dW, &dR, &total})
        all.insert(all.end(), each->begin(), each->end());
    return all;
}

// Whether bf16 is as far from float32 as it is to be.
bool close(Cell cell, const Sizes& sizes) {
    const auto exact = trained(portable_kernels, portable_gradients, cell, sizes);
    const auto half = trained(HALF_KERNELS, HALF_GRADIENTS, cell, sizes);
    float largest = 0.0f, error = 0.0f;
    for (size_t k = 0; k < exact.size(); ++k) {
        largest = std::fmax(largest, std::fabs(exact[k]));
        error = std::fmax(error, std::fabs(exact[k] - half[k]));  // NaN counts below
        if (!(half[k] == half[k])) error = INFINITY;
    }
    std::printf("cell %d: off by %.2g of %.2g\n", (int)cell, error, largest);
    return error > 0.0f && error < 0.02f * largest;
}

// Whether rows give the same bits in a batch and in pieces of it.
bool alone(Cell cell, const Sizes& sizes, std::mt19937& pieces) {
    const auto batch = trained(HALF_KERNELS, HALF_GRADIENTS, cell, sizes);
    const auto apart = trained(HALF_KERNELS, HALF_GRADIENTS, cell, sizes, &pieces);
    if (!std::memcmp(batch.data(), apart.data(), batch.size() * sizeof(float))) return true;
    std::printf("cell %d: rows alone differ at T %d, B %d, H %d, I %d\n", (int)cell, (int)sizes.T,
                (int)sizes.B, (int)sizes.H, (int)sizes.I);
    return false;
}

}  // namespace

int main(int argc, char** argv) {
#if defined(__x86_64__) && defined(__linux__)
    syscall(SYS_arch_prctl, 0x1023, 18);  // for tiles; nothing happens where there are none
#endif
    const unsigned seed = argc > 1 ? (unsigned)std::strtoul(argv[1], nullptr, 10) : std::random_device{}();
    std::printf("seed %u\n", seed);
    std::mt19937 drawn(seed);
    const auto up_to = [&](int64_t n) { return 1 + (int64_t)(drawn() % (unsigned)n); };
    int wrong = 0;
    for (Cell cell : {Cell::rnn_tanh, Cell::lstm, Cell::gru, Cell::gru_reset_before}) {
        for (const Sizes& sizes : {Sizes{7, 19, 70, 37}, Sizes{2, 5, 71, 39}}) wrong += !close(cell, sizes);
        for (int k = 0; k < 3; ++k) {
            const int64_t T = up_to(4), B = up_to(25), H = up_to(71), I = up_to(39);
            wrong += !alone(cell, {T, B, H, I}, drawn);
        }
    }
    return wrong;
}
