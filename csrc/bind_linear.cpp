// Gated linear recurrences as functions of Python, and the cut of a batch into jobs.
//
// The sizes of a packed sequence are checked here.
#include <algorithm>
#include <stdexcept>
#include <vector>

#include "bind.h"
#include "linear.h"
#include "pool.h"

namespace nb = nanobind;

namespace elman {
namespace {

constexpr Builds<LinearKernels> builds = ELMAN_BUILDS(linear);

// Below so many gates of so many steps, waking a thread takes longer than it would work.
constexpr double WORTH_A_THREAD = 2e5;
// A job's share of a row: so many units are whole cache lines, and enough of them to stream.
constexpr int64_t FEWEST_UNITS = 64;

// The steps, their rows, and the jobs.
class Plan {
  public:
    Plan(int cell, bool reverse, int64_t T, int64_t B, int64_t H, int64_t N, Address sizes,
         Address Wx, Address bias, int threads)
        : offsets_(offsets(at<int64_t>(sizes), T, B, N)),
          in{(LinearCell)cell, reverse, T,  B, H, at<int64_t>(sizes),
             nullptr,          at<float>(Wx), at<float>(bias)} {
        in.offsets = offsets_.data();
        threads_ = (double)N * gates(in.cell) * (double)H < WORTH_A_THREAD ? 1 : threads;
        cut();
    }

    template <class Job>
    void run(Job job) const {
        run_jobs((int)parts_.size(), threads_, [&](int k) { job(parts_[(size_t)k]); });
    }

  private:
    // Units are cut first: each part then has the same work, however long the sequences are. What is
    // too narrow for that is cut between rows, and a batch of one row wherever it can be.
    void cut() {
        const int64_t wanted = threads_ == 1 ? 1 : 2 * threads_, lines = (in.H + 15) / 16;
        const int64_t fewest = in.B == 1 ? 1 : FEWEST_UNITS / 16;
        const int64_t across = std::clamp<int64_t>(lines / fewest, 1, wanted);
        const int64_t down = std::min((wanted + across - 1) / across, in.B);
        for (int64_t d = 0; d < down; ++d)
            for (int64_t a = 0; a < across; ++a)
                parts_.push_back({in.B * d / down, in.B * (d + 1) / down,
                                  std::min(lines * a / across * 16, in.H),
                                  std::min(lines * (a + 1) / across * 16, in.H)});
    }

    std::vector<int64_t> offsets_;
    std::vector<LinearPart> parts_;
    int threads_;

  public:
    LinearSequence in;
};

void forward(const std::string& isa, int threads, int cell, bool reverse, int64_t T, int64_t B,
             int64_t H, int64_t N, Address sizes, Address Wx, Address bias, Address h, Address y) {
    const LinearKernels& kernels = *builds[instruction_set(isa)];
    const Plan plan(cell, reverse, T, B, H, N, sizes, Wx, bias, threads);
    const LinearForward f{plan.in, at<float>(h), at<float>(y)};
    plan.run([&](const LinearPart& part) { kernels.forward(f, part); });
}

void backward(const std::string& isa, int threads, int cell, bool reverse, int64_t T, int64_t B,
              int64_t H, int64_t N, Address sizes, Address Wx, Address bias, Address y, Address h0,
              Address dy, Address dh, Address dWx) {
    const LinearKernels& kernels = *builds[instruction_set(isa)];
    const Plan plan(cell, reverse, T, B, H, N, sizes, Wx, bias, threads);
    const LinearBackward b{plan.in,       at<float>(y),  at<float>(h0),
                           at<float>(dy), at<float>(dh), at<float>(dWx)};
    plan.run([&](const LinearPart& part) { kernels.backward(b, part); });
}

}  // namespace

void bind_linear(nb::module_& m) {
    const auto released = nb::call_guard<nb::gil_scoped_release>();
    m.def("linear_forward", &forward, released);
    m.def("linear_backward", &backward, released);
}

}  // namespace elman
