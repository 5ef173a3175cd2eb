// Sweeps and gradients in several threads at once, for the thread sanitizer: every result must be
// that of one thread, bit for bit. Without Python and PyTorch, in which it finds races of their own.
//
//     make races
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "gradient.h"
#include "pool.h"
#include "sweep.h"

using namespace elman;

namespace {

constexpr int64_t T = 9, B = 5, H = 37;
const Kernels<Single>& sweeps = portable_kernels;

std::vector<float> drawn(size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0.0f, 0.2f);
    std::vector<float> all(count);
    for (float& a : all) a = normal(generator);
    return all;
}

struct Packed {
    Packed(Cell cell, int64_t K, Packing matrix, const std::vector<float>& from)
        : all((size_t)sweeps.packed_size(cell, H, K, matrix) + 16) {
        const size_t past = (uintptr_t)all.data() / sizeof(float) % 16;
        start = all.data() + (past ? 16 - past : 0);
        sweeps.pack(cell, H, K, matrix, from.data(), start, 0, 1);
    }
    std::vector<float> all;
    float* start;
};

// All that a layer's training gives, with its rows cut among the threads or its steps shared.
std::vector<float> trained(Cell cell, int threads, bool together) {
    const size_t G = (size_t)gates(cell), N = T * B, h = H;
    std::vector<int64_t> sizes(T, B), offsets(T);
    for (int64_t t = 0; t < T; ++t) offsets[(size_t)t] = t * B;
    const Sequence in{cell, false, T, B, H, sizes.data(), offsets.data()};
    const auto R = drawn(G * h * h, 1), Wx = drawn(N * G * h, 2), first = drawn(2 * B * h, 3);
    const auto dy = drawn(N * h, 4);
    const Packed forwards(cell, H, Packing::to_gates, R), backwards(cell, H, Packing::to_state, R);

    std::vector<float> y(N * h), last(2 * B * h), met(N * h), gates_(N * (size_t)gates_size(cell, H)), kept(N * h);
    Forward<Single> f{};
    f.in = in, f.Wx = Wx.data(), f.R = forwards.start;
    f.h0 = first.data(), f.c0 = first.data() + B * h;
    f.y = y.data(), f.hn = last.data(), f.cn = last.data() + B * h;
    f.gates = gates_.data(), f.kept = kept.data(), f.met = met.data();

    std::vector<float> dWx(N * G * h), dRn(N * h), dfirst(2 * B * h);
    Backward<Single> b{};
    b.in = in, b.R = backwards.start, b.gates = gates_.data(), b.kept = kept.data();
    b.c = kept.data(), b.y = y.data(), b.h0 = f.h0, b.c0 = f.c0, b.dy = dy.data();
    if (cell == Cell::rnn_tanh || cell == Cell::rnn_relu) f.gates = nullptr, b.gates = nullptr;
    b.dWx = dWx.data(), b.dRn = dRn.data(), b.dh0 = dfirst.data(), b.dc0 = dfirst.data() + B * h;

    const Spread spread = [](void* count, void (*work)(void*), void* sweep) {
        run_jobs(*(int*)count, *(int*)count, [&](int) { work(sweep); });
    };
    if (together) {
        sweeps.forward_together(f, spread, &threads);
        sweeps.backward_together(b, spread, &threads);
    } else {
        run_jobs((int)B, threads, [&](int row) { sweeps.forward(f, row, row + 1); });
        run_jobs((int)B, threads, [&](int row) { sweeps.backward(b, row, row + 1); });
    }

    std::vector<const float*> rows;
    for (size_t n = 0; n < N; ++n) rows.push_back(y.data() + n * h);
    std::vector<float> dR(G * h * h), total(G * h);
    const Gradient<Single> g{(int64_t)N, (int64_t)(G * h), dWx.data(), (int64_t)(G * h),
                             {{H, rows.data(), nullptr, dR.data()}}, 1, total.data()};
    run_jobs((int)G, threads,
             [&](int k) { portable_gradients.gradient(g, k * H, (k + 1) * H); });

    for (const auto* each : {&last, &dWx, &dfirst, &dR, &total}) y.insert(y.end(), each->begin(), each->end());
    if (cell != Cell::gru) return y;
    y.insert(y.end(), dRn.begin(), dRn.end());
    return y;
}

}  // namespace

int main() {
    int wrong = 0;
    for (Cell cell : {Cell::rnn_tanh, Cell::rnn_relu, Cell::lstm, Cell::gru, Cell::gru_reset_before}) {
        const auto alone = trained(cell, 1, false);
        const auto check = [&] {
            for (int round = 0; round < 20; ++round)
                for (bool together : {false, true}) {
                    const auto many = trained(cell, 3, together);
                    if (std::memcmp(many.data(), alone.data(), alone.size() * sizeof(float)))
                        __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
                }
        };
        std::thread first(check), second(check);
        first.join(), second.join();
    }
    std::printf("%d of 400 results differ from those of one thread\n", wrong);
    return wrong != 0;
}
