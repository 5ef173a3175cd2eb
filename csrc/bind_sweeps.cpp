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

// The builds of one kind of numbers, in the order of `names`.
template <class Number>
struct Of;

template <>
struct Of<Single> {
    static constexpr Builds<Kernels<Single>> kernels = ELMAN_BUILDS(kernels);
    static constexpr Builds<Gradients<Single>> gradients = ELMAN_BUILDS(gradients);
    static size_t place(const std::string& name) { return instruction_set(name); }
};

template <>
struct Of<Half> {
    static constexpr HalfBuilds<Kernels<Half>> kernels = ELMAN_HALF_BUILDS(kernels);
    static constexpr HalfBuilds<Gradients<Half>> gradients = ELMAN_HALF_BUILDS(gradients);
    static size_t place(const std::string& name) { return half_instruction_set(name); }
};

// Calls use(Single{}) or use(Half{}).
template <class Use>
void with_numbers(bool half, Use use) {
    half ? use(Half{}) : use(Single{});
}

// Fewer numbers are packed in less time than a thread takes to wake.
constexpr int64_t WORTH_PACKING_APART = 1 << 15;

struct Freed {
    void operator()(void* p) const { std::free(p); }
};
template <class Number>
using Packed = std::unique_ptr<typename Number::Operand, Freed>;

// The matrix [G*H, K], packed; nothing where there is none.
template <class Number>
Packed<Number> packed(const Kernels<Number>& kernels, Cell cell, int64_t H, int64_t K,
                      Packing matrix, Address from, int threads) {
    using Operand = typename Number::Operand;
    if (!from) return {};
    const int64_t numbers = kernels.packed_size(cell, H, K, matrix);
    const size_t bytes = (size_t)numbers * sizeof(Operand);
    Packed<Number> to((Operand*)std::aligned_alloc(64, std::max<size_t>(64, (bytes + 63) / 64 * 64)));
    if (!to) throw std::bad_alloc();
    const int parts = numbers < WORTH_PACKING_APART ? 1 : threads;
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
    // Below so many multiplications with R, a second thread costs more than it does: it has to begin,
    // and what it writes has to come from its caches. Measured in training at H 32 to 64.
    static constexpr double WORTH_A_THREAD = 7e6;
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

// What both sweeps are given beside tensors.
struct Call {
    std::string isa;
    int threads, cell;
    bool reverse;
    int64_t T, B, H, N, I, V, keep_step;
};

template <class Number>
void forward(const Call& call, const nb::dict& all) {
    const auto& [isa, threads, cell, reverse, T, B, H, N, I, V, keep_step] = call;
    const Kernels<Number>& kernels = *Of<Number>::kernels[Of<Number>::place(isa)];
    const Tensors tensors(all);
    Forward<Number> f{};
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
    tensors.get("met", f.met);
    tensors.get("c", f.c);
    tensors.get("normed", f.normed);
    tensors.get("scale", f.scale);
    const Address R = tensors.address("R"), W = tensors.address("W");
    const Address sizes = tensors.address("sizes");

    const nb::gil_scoped_release released;
    for (int64_t k = 0; f.ids && k < N; ++k)
        if (f.ids[k] < 0 || f.ids[k] >= V) throw std::out_of_range("a token id is out of range");
    const Plan plan(cell, reverse, T, B, H, N, f.x ? I : 0, sizes, threads, !f.inside.norm);
    const auto packed_R = packed(kernels, plan.in.cell, H, H, Packing::to_gates, R, threads);
    const auto packed_W = packed(kernels, plan.in.cell, H, I, Packing::to_gates, W, threads);
    f.in = plan.in;
    f.R = packed_R.get();
    f.W = packed_W.get();
    plan.run(f, kernels.forward, kernels.forward_together);
}

template <class Number>
void backward(const Call& call, const nb::dict& all) {
    const auto& [isa, threads, cell, reverse, T, B, H, N, I, V, keep_step] = call;
    const Kernels<Number>& kernels = *Of<Number>::kernels[Of<Number>::place(isa)];
    const Tensors tensors(all);
    Backward<Number> b{};
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
    const auto packed_R = packed(kernels, plan.in.cell, H, H, Packing::to_state, R, threads);
    const auto packed_W =
        packed(kernels, plan.in.cell, H, I, Packing::to_input, b.dx ? W : 0, threads);
    b.in = plan.in;
    b.R = packed_R.get();
    b.W = packed_W.get();
    plan.run(b, kernels.backward, kernels.backward_together);
}

// For each row the state that its step began with: that of the step before, or the first.
template <class T>
std::vector<const T*> before(const int64_t* sizes, int64_t steps, int64_t H, bool reverse,
                             const T* y, const T* h0) {
    std::vector<const T*> rows;
    int64_t offset = 0;
    for (int64_t t = 0; t < steps; offset += sizes[t++]) {
        const int64_t known = reverse ? (t + 1 < steps ? sizes[t + 1] : 0) : (t ? sizes[t] : 0);
        const int64_t where = reverse ? offset + sizes[t] : offset - (t ? sizes[t - 1] : 0);
        for (int64_t r = 0; r < sizes[t]; ++r)
            rows.push_back(r < known ? y + (where + r) * H : h0 + r * H);
    }
    return rows;
}

// d [N, M], and the matrices that it is the gradient of: `to` [M, I] met the rows of x [N, I], and
// `to_h` [M, H] those that each step of y [N, H] began with, or with h0 null those of y, times
// `mask` [B, H].
template <class Number>
void gradient(const std::string& isa, int threads, int64_t N, int64_t M, int64_t ld, int64_t I,
              int64_t H, int64_t T, bool reverse, const nb::dict& all) {
    using Operand = typename Number::Operand;
    const Gradients<Number>& build = *Of<Number>::gradients[Of<Number>::place(isa)];
    const Tensors tensors(all);
    Gradient<Number> g{};
    g.N = N, g.M = M, g.ld = ld;
    tensors.get("d", g.d);
    tensors.get("total", g.total);
    const Operand *x, *y, *h0;
    const float* mask;
    const int64_t* sizes;
    float *to, *to_h;
    tensors.get("x", x);
    tensors.get("y", y);
    tensors.get("h0", h0);
    tensors.get("mask", mask);
    tensors.get("sizes", sizes);
    tensors.get("to", to);
    tensors.get("to_h", to_h);

    const nb::gil_scoped_release released;
    offsets(sizes, T, *sizes, N);  // checks them
    std::vector<const Operand*> rows, states;
    std::vector<const float*> masks;
    if (to) {
        for (int64_t n = 0; n < N; ++n) rows.push_back(x + n * I);
        g.sides[g.count++] = {I, rows.data(), nullptr, to};
    }
    if (to_h) {
        if (h0)
            states = before(sizes, T, H, reverse, y, h0);
        else
            for (int64_t n = 0; n < N; ++n) states.push_back(y + n * H);
        if (mask)
            for (int64_t t = 0; t < T; ++t)
                for (int64_t r = 0; r < sizes[t]; ++r) masks.push_back(mask + r * H);
        g.sides[g.count++] = {H, states.data(), mask ? masks.data() : nullptr, to_h};
    }
    const double work = (double)N * M * ((to ? I : 0) + (to_h ? H : 0));
    constexpr int64_t ROWS = 96;  // whole tiles of every build
    const int jobs = work < 1.4e7 ? 1 : (int)std::min<int64_t>(threads, (M + ROWS - 1) / ROWS);
    run_jobs(jobs, threads, [&](int k) {
        const auto cut = [&](int64_t part) { return part == jobs ? M : M * part / jobs / ROWS * ROWS; };
        build.gradient(g, cut(k), cut(k + 1));
    });
}

// to [V, M] becomes the sum of the rows of d [N, M] that belong to each id.
template <class Number>
void scatter(const std::string& isa, int threads, int64_t N, int64_t M, int64_t V, Address d,
             Address ids, Address to) {
    const Gradients<Number>& build = *Of<Number>::gradients[Of<Number>::place(isa)];
    for (int64_t n = 0; n < N; ++n)
        if (at<int64_t>(ids)[n] < 0 || at<int64_t>(ids)[n] >= V)
            throw std::out_of_range("a token id is out of range");
    const int jobs = (double)N * M < 1e6 ? 1 : (int)std::min<int64_t>(threads, (M + 15) / 16);
    run_jobs(jobs, threads, [&](int k) {
        const auto cut = [&](int64_t part) { return part == jobs ? M : M * part / jobs / 16 * 16; };
        build.scatter({N, M, V, at<typename Number::Operand>(d), at<int64_t>(ids), at<float>(to)},
                      cut(k), cut(k + 1));
    });
}

}  // namespace

void bind_sweeps(nb::module_& m) {
    const auto released = nb::call_guard<nb::gil_scoped_release>();
    nb::class_<Call>(m, "Call").def(
        nb::init<std::string, int, int, bool, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                 int64_t>());
    m.def("forward", [](bool half, const Call& call, const nb::dict& tensors) {
        with_numbers(half, [&](auto n) { forward<decltype(n)>(call, tensors); });
    });
    m.def("backward", [](bool half, const Call& call, const nb::dict& tensors) {
        with_numbers(half, [&](auto n) { backward<decltype(n)>(call, tensors); });
    });
    m.def("gradient", [](bool half, const std::string& isa, int threads, int64_t N, int64_t M,
                         int64_t ld, int64_t I, int64_t H, int64_t T, bool reverse,
                         const nb::dict& tensors) {
        with_numbers(half, [&](auto n) {
            gradient<decltype(n)>(isa, threads, N, M, ld, I, H, T, reverse, tensors);
        });
    });
    m.def(
        "scatter",
        [](bool half, const std::string& isa, int threads, int64_t N, int64_t M, int64_t V,
           Address d, Address ids, Address to) {
            with_numbers(half, [&](auto n) {
                scatter<decltype(n)>(isa, threads, N, M, V, d, ids, to);
            });
        },
        released);
    m.def(
        "activate",
        [](bool half, const std::string& isa, bool sigmoid, Address x, Address to, int64_t n) {
            with_numbers(half, [&](auto number) {
                using Builds = Of<decltype(number)>;
                const auto& kernels = *Builds::kernels[Builds::place(isa)];
                const auto activation = sigmoid ? kernels.sigmoid : kernels.tanh;
                run_jobs(1, 1, [&](int) { activation(at<float>(x), at<float>(to), n); });
            });
        },
        released);
}

}  // namespace elman
