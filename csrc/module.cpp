// elman.kernels._native: the extension, and what of it this processor runs.
#include <nanobind/stl/vector.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif
#if defined(ELMAN_AMX)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(ELMAN_BF16_ARM) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined(ELMAN_BF16_ARM) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include <cstdlib>
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

#if defined(ELMAN_AMX)
// Linux lets a process use the registers of AMX once it has asked, and all its threads with it.
bool may_use_tiles() {
    unsigned a = 7, b, c = 0, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    constexpr unsigned BF16 = 1u << 22, TILES = 1u << 24;
    if ((d & (BF16 | TILES)) != (BF16 | TILES)) return false;
    constexpr long ASK = 0x1023, TILE_DATA = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return syscall(SYS_arch_prctl, ASK, TILE_DATA) == 0;
}
#endif

// Those that multiply bf16, in the order of `HalfBuilds`.
std::vector<std::string> half_names() {
    std::vector<std::string> all;
#if defined(ELMAN_BF16_X86)
    if (names().back() == "avx512" && __builtin_cpu_supports("avx512bf16"))
        all.emplace_back("avx512bf16");
#if defined(ELMAN_AMX)
    if (!all.empty() && may_use_tiles()) all.emplace_back("amx");
#endif
#elif defined(ELMAN_BF16_ARM) && defined(__linux__)
    if (getauxval(AT_HWCAP2) & HWCAP2_BF16) all.emplace_back("neonbf16");
#elif defined(ELMAN_BF16_ARM) && defined(__APPLE__)
    int has = 0;
    size_t size = sizeof has;
    if (!sysctlbyname("hw.optional.arm.FEAT_BF16", &has, &size, nullptr, 0) && has)
        all.emplace_back("neonbf16");
#endif
    return all;
}

size_t place(const std::vector<std::string>& all, const std::string& name) {
    for (size_t k = 0; k < all.size(); ++k)
        if (name == all[k]) return k;
    throw std::invalid_argument("this processor cannot run " + name);
}

// The C library gives large blocks back to the system as soon as they are freed, and each call then
// waits for thousands of fresh pages to be cleared: half the time of a long gated linear recurrence.
// Now up to 512 MB of freed memory stay with the process, unless its user has settled that otherwise.
void keep_freed_memory() {
#if defined(__GLIBC__)
    for (const char* name : {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"})
        if (std::getenv(name)) return;
    mallopt(M_MMAP_THRESHOLD, 256 << 20);
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
#endif
}

}  // namespace

size_t instruction_set(const std::string& name) {
    static const std::vector<std::string> all = names();
    return place(all, name);
}

size_t half_instruction_set(const std::string& name) {
    static const std::vector<std::string> all = half_names();
    return place(all, name);
}

std::vector<int64_t> offsets(const int64_t* sizes, int64_t T, int64_t B, int64_t N) {
    std::vector<int64_t> all((size_t)T);
    int64_t rows = 0;
    for (int64_t t = 0; t < T; ++t) {
        if (sizes[t] < 1 || sizes[t] > (t ? sizes[t - 1] : B) || (!t && sizes[0] != B))
            throw std::invalid_argument("sizes must start at B, never grow, and stay above 0");
        all[(size_t)t] = rows;
        rows += sizes[t];
    }
    if (rows != N) throw std::invalid_argument("sizes must sum to the number of rows");
    return all;
}

NB_MODULE(_native, m) {
    watch_for_forks();
    keep_freed_memory();
    m.def("names", &names, "The instruction sets that this processor runs, the plainest first.");
    m.def("half_names", &half_names, "Those of them that multiply bf16, with kernels of their own.");
    bind_sweeps(m);
    bind_linear(m);
    bind_stream(m);
    bind_writer(m);
    bind_limits(m);
}

}  // namespace elman
