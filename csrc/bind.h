// What the files that show functions to Python share.
//
// Tensors come as addresses. The modules of `elman.kernels` are the only callers, and have checked
// type, device, shape and contiguity of each.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace elman {

using Address = uintptr_t;

template <class T>
T* at(Address address) {
    return reinterpret_cast<T*>(address);
}

// The place of an instruction set in `Builds`. std::invalid_argument: this processor cannot run it.
size_t instruction_set(const std::string& name);
size_t half_instruction_set(const std::string& name);  // in `HalfBuilds`

// Where the rows of each step begin. std::invalid_argument unless sizes [T] start at B, never grow,
// stay above 0 and sum to N.
std::vector<int64_t> offsets(const int64_t* sizes, int64_t T, int64_t B, int64_t N);

// One build of a table of functions for each instruction set, the plainest first.
#if defined(__x86_64__)
template <class Table>
using Builds = std::array<const Table*, 3>;
#define ELMAN_BUILDS(what) {&portable_##what, &avx2_##what, &avx512_##what}
#else
template <class Table>
using Builds = std::array<const Table*, 1>;
#define ELMAN_BUILDS(what) {&portable_##what}
#endif

// The same of those that multiply bf16, where the compiler knows any.
#if defined(ELMAN_AMX)
template <class Table>
using HalfBuilds = std::array<const Table*, 2>;
#define ELMAN_HALF_BUILDS(what) {&avx512bf16_##what, &amx_##what}
#elif defined(ELMAN_BF16_X86)
template <class Table>
using HalfBuilds = std::array<const Table*, 1>;
#define ELMAN_HALF_BUILDS(what) {&avx512bf16_##what}
#elif defined(ELMAN_BF16_ARM)
template <class Table>
using HalfBuilds = std::array<const Table*, 1>;
#define ELMAN_HALF_BUILDS(what) {&neonbf16_##what}
#else
template <class Table>
using HalfBuilds = std::array<const Table*, 0>;
#define ELMAN_HALF_BUILDS(what) {}
#endif

void bind_sweeps(nanobind::module_& m);
void bind_linear(nanobind::module_& m);
void bind_stream(nanobind::module_& m);
void bind_writer(nanobind::module_& m);
void bind_limits(nanobind::module_& m);

}  // namespace elman
