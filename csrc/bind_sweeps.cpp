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
#include "gradient.h"
#include "pool.h"
#include "sweep.h"

namespace nb = nanobind;

namespace elman {
namespace {

constexpr Builds<Kernels> builds = ELMAN_BUILDS(kernels);
constexpr Builds<Gradients> gradient_builds = ELMAN_BUILDS(gradients);

// Fewer floats are packed in less time than a thread takes to wake.
constexpr int64_t WORTH_PACKING_APART = 1 << 15;

struct Freed {
    void operator()(float* p) const { std::free(p); }
};
using Floats = std::unique_ptr<float, Freed>;

// The matrix [G*H, K], packed; nothing where there is none.
Floats packed(const Kernels& kernels, Cell cell, int64_t H, int64_t K, Packing matrix, Address from,
              int threads) {
    if (!from) return {};
    const int64_t floats = kernels.packed_size(cell, H, K, matrix);
    const size_t bytes = (size_t)floats * sizeof(float);
    Floats to((float*)std::aligned_alloc(64, std::max<size_t>(64, (bytes + 63) / 64 * 64)));
    if (!to) throw std::bad_alloc();
    const int parts = floats < WORTH_PACKING_APART ? 1 : threads;
    run_jobs(parts, threads, [&](int k) {
        kernels.pack(cell, H, K, matrix, at<float>(from), to.get(), k, parts);
    });
    return to;
}

// Steps, their rows, and the cuts between jobs.
class Plan {
  public:
    // `I` columns of the packed matrix beside R, 0 if there is none.
    Plan(int cell, bool reverse, int64_t T, int64_t B, int64_t H, int64_t N, int64_t I,
         Address sizes, int threads, bool together)
        : offsets_(offsets(at<int64_t>(sizes), T, B, N)), in{(Cell)cell, reverse, T, B, H, at<int64_t>(sizes), nullptr} {
        in.offsets = offsets_.data();
        const double step = (double)gates(in.cell) * H * H * B;
        threads_ = step * T < WORTH_A_THREAD ? 1 : threads;
        const double weights = (double)gates(in.cell) * H * (H + I);
        const bool far = weights > FAR_WEIGHTS && B <= MOST_ROWS;
        together_ = together && threads_ > 1 && N == B * T &&
                    (B < FEW_ROWS * threads_ || far) && step > WORTH_A_MEETING;
        if (!together_) cut(N);
    }

    // apart(problem, first row, last row), or together(problem, spread, context)
    template <class Problem>
    void run(const Problem& problem, void (*apart)(const Problem&, int64_t, int64_t),
             void (*together)(const Problem&, Spread, void*)) const {
        if (!together_)
            return run_jobs((int)cuts_.size() - 1, threads_,
                            [&](int k) { apart(problem, cuts_[(size_t)k], cuts_[(size_t)k + 1]); });
        const Spread spread = [](void* threads, void (*work)(void*), void* sweep) {
            const int all = *(int*)threads;
            run_jobs(all, all, [&](int) { work(sweep); });
        };
        int threads = threads_;
        together(problem, spread, &threads);
    }

  private:
    // Below so many multiplications, waking a thread takes longer than it would work.
    static constexpr double WORTH_A_THREAD = 2e6;
    // Below so many in a step, threads that share its units wait for each other too long.
    static constexpr double WORTH_A_MEETING = 2e5;
    // With fewer rows for each thread, all of them would read all weights for too little work.
    static constexpr int64_t FEW_ROWS = 2;
    // So many floats do not stay in the last cache (24 MB): threads that each read all of them at a
    // step, at different times, wait for memory. LSTM 1024, forward, two threads: 5 % faster so.
    static constexpr double FAR_WEIGHTS = 6e6;
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
    bool together_;

  public:
    Sequence in;
};

// What Python gives: the addresses of tensors by the names that they bear in sweep.h; none for what
// is not there.
class Tensors {
  public:
    explicit Tensors(const nb::dict& all) : all_(all) {}

    Address address(const char* name) const {
        return all_.contains(name) ? nb::cast<Address>(all_[name]) : 0;
    }
    template <class T>
    void get(const char* name, T*& to) const {
        to = at<T>(address(name));
    }

  private:
    const nb::dict& all_;
};

Inside inside(const Tensors& tensors, int64_t keep_step) {
    Inside in{};
    tensors.get("mask", in.mask);
    tensors.get("norm", in.norm);
    tensors.get("keep_h", in.keep_h);
    tensors.get("keep_c", in.keep_c);
    in.keep_step = keep_step;
    return in;
}

void forward(const std::string& isa, int threads, int cell, bool reverse, int64_t T, int64_t B,
             int64_t H, int64_t N, int64_t I, int64_t V, int64_t keep_step, const nb::dict& all) {
    const Kernels& kernels = *builds[instruction_set(isa)];
    const Tensors tensors(all);
    Forward f{};
    f.inside = inside(tensors, keep_step);
    f.I = I;
    tensors.get("Wx", f.Wx);
    tensors.get("ids", f.ids);
    tensors.get("x", f.x);
    tensors.get("bias", f.bias);
    tensors.get("bias_n", f.bias_n);
    tensors.get("h0", f.h0);
    tensors.get("c0", f.c0);
    tensors.get("y", f.y);
    tensors.get("hn", f.hn);
    tensors.get("cn", f.cn);
    tensors.get("gates", f.gates);
    tensors.get("kept", f.kept);
    tensors.get("c", f.c);
    tensors.get("normed", f.normed);
    tensors.get("scale", f.scale);
    const Address R = tensors.address("R"), W = tensors.address("W");
    const Address sizes = tensors.address("sizes");

    const nb::gil_scoped_release released;
    for (int64_t k = 0; f.ids && k < N; ++k)
        if (f.ids[k] < 0 || f.ids[k] >= V) throw std::out_of_range("a token id is out of range");
    const Plan plan(cell, reverse, T, B, H, N, f.x ? I : 0, sizes, threads, !f.inside.norm);
    const Floats packed_R = packed(kernels, plan.in.cell, H, H, Packing::to_gates, R, threads);
    const Floats packed_W = packed(kernels, plan.in.cell, H, I, Packing::to_gates, W, threads);
    f.in = plan.in;
    f.R = packed_R.get();
    f.W = packed_W.get();
    plan.run(f, kernels.forward, kernels.forward_together);
}

void backward(const std::string& isa, int threads, int cell, bool reverse, int64_t T, int64_t B,
              int64_t H, int64_t N, int64_t I, int64_t keep_step, const nb::dict& all) {
    const Kernels& kernels = *builds[instruction_set(isa)];
    const Tensors tensors(all);
    Backward b{};
    b.inside = inside(tensors, keep_step);
    b.I = I;
    tensors.get("gates", b.gates);
    tensors.get("kept", b.kept);
    tensors.get("c", b.c);
    tensors.get("normed", b.normed);
    tensors.get("scale", b.scale);
    tensors.get("y", b.y);
    tensors.get("h0", b.h0);
    tensors.get("c0", b.c0);
    tensors.get("dy", b.dy);
    tensors.get("dhn", b.dhn);
    tensors.get("dcn", b.dcn);
    tensors.get("dWx", b.dWx);
    tensors.get("dRn", b.dRn);
    tensors.get("dRh", b.dRh);
    tensors.get("dx", b.dx);
    tensors.get("dh0", b.dh0);
    tensors.get("dc0", b.dc0);
    const Address R = tensors.address("R"), W = tensors.address("W");
    const Address sizes = tensors.address("sizes");

    const nb::gil_scoped_release released;
    const Plan plan(cell, reverse, T, B, H, N, 0, sizes, threads, !b.inside.norm && !b.dx);
    const Floats packed_R = packed(kernels, plan.in.cell, H, H, Packing::to_state, R, threads);
    const Floats packed_W =
        packed(kernels, plan.in.cell, H, I, Packing::to_input, b.dx ? W : 0, threads);
    b.in = plan.in;
    b.R = packed_R.get();
    b.W = packed_W.get();
    plan.run(b, kernels.backward, kernels.backward_together);
}

// For each row the state that its step began with: that of the step before, or the first.
std::vector<const float*> before(const int64_t* sizes, int64_t T, int64_t H, bool reverse,
                                 const float* y, const float* h0) {
    std::vector<const float*> rows;
    int64_t offset = 0;
    for (int64_t t = 0; t < T; offset += sizes[t++]) {
        const int64_t known = reverse ? (t + 1 < T ? sizes[t + 1] : 0) : (t ? sizes[t] : 0);
        const int64_t where = reverse ? offset + sizes[t] : offset - (t ? sizes[t - 1] : 0);
        for (int64_t r = 0; r < sizes[t]; ++r)
            rows.push_back(r < known ? y + (where + r) * H : h0 + r * H);
    }
    return rows;
}

// The rows of a [N, K], or with h0 those that each step of y [N, K] began with; `mask` [B, K].
void gradient(const std::string& isa, int threads, int64_t N, int64_t M, int64_t K, Address d,
              int64_t ld, Address a, Address h0, Address sizes, int64_t T, bool reverse,
              Address mask, Address to, Address total) {
    const Gradients& build = *gradient_builds[instruction_set(isa)];
    offsets(at<int64_t>(sizes), T, *at<int64_t>(sizes), N);  // checks them
    std::vector<const float*> rows, masks;
    if (h0)
        rows = before(at<int64_t>(sizes), T, K, reverse, at<float>(a), at<float>(h0));
    else
        for (int64_t n = 0; n < N; ++n) rows.push_back(at<float>(a) + n * K);
    if (mask)
        for (int64_t t = 0; t < T; ++t)
            for (int64_t r = 0; r < at<int64_t>(sizes)[t]; ++r)
                masks.push_back(at<float>(mask) + r * K);
    const Gradient g{N,
                     M,
                     K,
                     at<float>(d),
                     ld,
                     rows.data(),
                     mask ? masks.data() : nullptr,
                     at<float>(to),
                     at<float>(total)};
    const int jobs = (double)N * M * K < 2e6 ? 1 : (int)std::min<int64_t>(threads, (M + 5) / 6);
    run_jobs(jobs, threads, [&](int k) {
        const auto cut = [&](int64_t part) { return part == jobs ? M : M * part / jobs / 6 * 6; };
        build.gradient(g, cut(k), cut(k + 1));
    });
}

}  // namespace

void bind_sweeps(nb::module_& m) {
    const auto released = nb::call_guard<nb::gil_scoped_release>();
    m.def("forward", &forward);
    m.def("backward", &backward);
    m.def("gradient", &gradient, released);
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
