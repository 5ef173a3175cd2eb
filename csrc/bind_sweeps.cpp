// The sweeps as functions of Python, and the cut of a batch into jobs.
//
// The sizes of a packed sequence are checked here.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

#include "bind.h"
#include "pool.h"
#include "sweep.h"

namespace nb = nanobind;

namespace elman {
namespace {

constexpr Builds<Kernels> builds = ELMAN_BUILDS(kernels);

struct Freed {
    void operator()(float* p) const { std::free(p); }
};
using Floats = std::unique_ptr<float, Freed>;

Floats packed(const Kernels& kernels, Cell cell, int64_t H, bool backward, const float* R) {
    const size_t bytes = (size_t)kernels.packed_size(cell, H, backward) * sizeof(float);
    Floats to((float*)std::aligned_alloc(64, (bytes + 63) / 64 * 64));
    if (!to) throw std::bad_alloc();
    kernels.pack(cell, H, backward, R, to.get());
    return to;
}

// Steps, their rows, and the cuts between jobs.
class Plan {
  public:
    Plan(int cell, bool reverse, int64_t T, int64_t B, int64_t H, int64_t N, Address sizes,
         int threads)
        : offsets_((size_t)T), in{(Cell)cell, reverse, T, B, H, at<int64_t>(sizes), nullptr} {
        int64_t rows = 0;
        for (int64_t t = 0; t < T; ++t) {
            if (in.sizes[t] < 1 || in.sizes[t] > (t ? in.sizes[t - 1] : B) || (!t && in.sizes[0] != B))
                throw std::invalid_argument("sizes must start at B, never grow, and stay above 0");
            offsets_[(size_t)t] = rows;
            rows += in.sizes[t];
        }
        if (rows != N) throw std::invalid_argument("sizes must sum to the number of rows");
        in.offsets = offsets_.data();
        threads_ = (double)N * gates(in.cell) * H * H < WORTH_A_THREAD ? 1 : threads;
        cut(rows);
    }

    template <class Job>
    void run(Job job) const {
        run_jobs((int)cuts_.size() - 1, threads_,
                 [&](int k) { job(cuts_[(size_t)k], cuts_[(size_t)k + 1]); });
    }

  private:
    // Below so many multiplications, waking a thread takes longer than it would work.
    static constexpr double WORTH_A_THREAD = 2e6;
    // The sums of so many rows still lie in the first-level cache beside the weights.
    static constexpr int64_t MOST_ROWS = 128;

    // Neighbouring rows, about equally many steps to each job.
    void cut(int64_t work) {
        int64_t jobs = (in.B + MOST_ROWS - 1) / MOST_ROWS;
        jobs = std::min((jobs + threads_ - 1) / threads_ * threads_, in.B);
        cuts_.push_back(0);
        int64_t done = 0, t = in.T;
        for (int64_t row = 0; row < in.B; ++row) {
            while (t > 0 && in.sizes[t - 1] <= row) --t;  // t steps have this row
            done += t;
            if (done * jobs >= work * (int64_t)cuts_.size() && row + 1 < in.B)
                cuts_.push_back(row + 1);
        }
        cuts_.push_back(in.B);
    }

    std::vector<int64_t> offsets_, cuts_;
    int threads_;

  public:
    Sequence in;
};

void forward(const std::string& isa, int threads, int cell, bool reverse, int64_t T, int64_t B,
             int64_t H, int64_t N, Address sizes, Address R, Address bias, Address bias_n,
             Address Wx, Address h0, Address c0, Address y, Address hn, Address cn, Address kept, bool store) {
    const Kernels& kernels = *builds[instruction_set(isa)];
    const Plan plan(cell, reverse, T, B, H, N, sizes, threads);
    const Floats weights = packed(kernels, plan.in.cell, H, false, at<float>(R));
    const Forward f{plan.in,       weights.get(), at<float>(bias), at<float>(bias_n),
                    at<float>(Wx), at<float>(h0), at<float>(c0),   at<float>(y),
                    at<float>(hn), at<float>(cn), at<float>(kept), store};
    plan.run([&](int64_t first, int64_t last) { kernels.forward(f, first, last); });
}

void backward(const std::string& isa, int threads, int cell, bool reverse, int64_t T, int64_t B,
              int64_t H, int64_t N, Address sizes, Address R, Address gates, Address kept,
              Address y, Address h0, Address c0, Address dy, Address dhn, Address dcn, Address dWx,
              Address dRn, Address dh0, Address dc0) {
    const Kernels& kernels = *builds[instruction_set(isa)];
    const Plan plan(cell, reverse, T, B, H, N, sizes, threads);
    const Floats weights = packed(kernels, plan.in.cell, H, true, at<float>(R));
    const Backward b{plan.in,       weights.get(),  at<float>(gates), at<float>(kept),
                     at<float>(y),  at<float>(h0),  at<float>(c0),    at<float>(dy),
                     at<float>(dhn), at<float>(dcn), at<float>(dWx),   at<float>(dRn),
                     at<float>(dh0), at<float>(dc0)};
    plan.run([&](int64_t first, int64_t last) { kernels.backward(b, first, last); });
}

}  // namespace

void bind_sweeps(nb::module_& m) {
    const auto released = nb::call_guard<nb::gil_scoped_release>();
    m.def("forward", &forward, released);
    m.def("backward", &backward, released);
    m.def(
        "activate",
        [](const std::string& isa, bool sigmoid, Address x, Address to, int64_t n) {
            const Kernels& kernels = *builds[instruction_set(isa)];
            const auto activation = sigmoid ? kernels.sigmoid : kernels.tanh;
            run_jobs(1, 1, [&](int) { activation(at<float>(x), at<float>(to), n); });
        },
        released);
}

}  // namespace elman
