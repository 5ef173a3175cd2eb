// elman.kernels._native: the extension, and what of it this processor runs.
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <vector>

#include "bind.h"
#include "pool.h"

namespace nb = nanobind;

namespace elman {
namespace {

// The instruction sets that this processor runs, the plainest first, in the order of `Builds`.
std::vector<std::string> names() {
    std::vector<std::string> all{"portable"};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("f16c")) {
        all.emplace_back("avx2");
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
            all.emplace_back("avx512");
    }
#endif
    return all;
}

}  // namespace

size_t instruction_set(const std::string& name) {
    static const std::vector<std::string> all = names();
    for (size_t k = 0; k < all.size(); ++k)
        if (name == all[k]) return k;
    throw std::invalid_argument("this processor cannot run " + name);
}

NB_MODULE(_native, m) {
    watch_for_forks();
    m.def("names", &names, "The instruction sets that this processor runs, the plainest first.");
    bind_sweeps(m);
    bind_linear(m);
    bind_stream(m);
}

}  // namespace elman
