// The limits of the processor as functions of Python.
#include <vector>

#include "bind.h"
#include "limits.h"
#include "pool.h"

namespace nb = nanobind;

namespace elman {
namespace {

constexpr Builds<Limits> builds = ELMAN_BUILDS(limits);
constexpr HalfBuilds<HalfLimits> half_builds = ELMAN_HALF_BUILDS(half_limits);

template <class Number, class Job>
Number sum_over(int threads, Job job) {
    std::vector<Number> each((size_t)threads);
    run_jobs(threads, threads, [&](int k) { each[(size_t)k] = job(k); });
    Number sum{};
    for (Number one : each) sum += one;
    return sum;
}

double multiply_add(const std::string& isa, int threads, int64_t rounds) {
    const Limits& build = *builds[instruction_set(isa)];
    return sum_over<double>(threads, [&](int) { return build.multiply_add(rounds); });
}

double multiply_add_halves(const std::string& isa, int threads, int64_t rounds) {
    const HalfLimits& build = *half_builds[half_instruction_set(isa)];
    return sum_over<double>(threads, [&](int) { return build.multiply_add(rounds); });
}

float read(const std::string& isa, int threads, Address from, int64_t n) {
    const Limits& build = *builds[instruction_set(isa)];
    return sum_over<float>(threads, [&](int k) {
        const int64_t first = n * k / threads / 16 * 16;
        const int64_t last = k + 1 == threads ? n : n * (k + 1) / threads / 16 * 16;
        return build.read(at<float>(from) + first, last - first);
    });
}

}  // namespace

void bind_limits(nb::module_& m) {
    const auto released = nb::call_guard<nb::gil_scoped_release>();
    m.def("multiply_add", &multiply_add, released);
    m.def("multiply_add_bf16", &multiply_add_halves, released);
    m.def("read", &read, released);
    m.attr("compiler") = __VERSION__;  // instructions of two builds compare if it is the same
}

}  // namespace elman
