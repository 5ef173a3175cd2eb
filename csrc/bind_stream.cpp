// Stacks with packed weights as objects of Python.
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "bind.h"
#include "model.h"

namespace nb = nanobind;

namespace elman {
namespace {

constexpr Builds<StreamKernels> builds = ELMAN_BUILDS(stream);

const StreamKernels& build(const std::string& isa) {
    const StreamKernels* found = builds[instruction_set(isa)];
#if defined(__x86_64__)
    if (found == &avx512_stream && __builtin_cpu_supports("avx512vnni")) found = &avx512vnni_stream;
#endif
    return *found;
}

std::vector<const float*> read_from(const std::vector<Address>& addresses) {
    std::vector<const float*> all;
    for (Address each : addresses) all.push_back(at<const float>(each));
    return all;
}

std::vector<float*> written_to(const std::vector<Address>& addresses) {
    std::vector<float*> all;
    for (Address each : addresses) all.push_back(at<float>(each));
    return all;
}

}  // namespace

void bind_stream(nb::module_& m) {
    const auto released = nb::call_guard<nb::gil_scoped_release>();
    nb::class_<Model>(m, "Model")
        .def("__init__",
             [](Model* self, const std::string& isa, int storage) {
                 new (self) Model(build(isa), (Storage)storage);
             })
        .def(
            "add",
            [](Model& self, int unit, int64_t I, int64_t H, bool residual, float zoneout,
               Address x, Address x_scale, Address h, Address h_scale, Address bias) {
                self.add((Unit)unit, I, H, residual, zoneout,
                         {at<const void>(x), at<const float>(x_scale)},
                         {at<const void>(h), at<const float>(h_scale)}, at<const float>(bias));
            },
            released)
        .def(
            "set_table",
            [](Model& self, Address table, int64_t V) {
                self.set_table(at<const float>(table), V);
            },
            released)
        .def(
            "set_embedding",
            [](Model& self, Address embedding, int64_t V) {
                self.set_embedding(at<const float>(embedding), V);
            },
            released)
        .def(
            "step",
            [](const Model& self, int threads, Address x, int64_t B,
               const std::vector<Address>& before, const std::vector<Address>& after, Address y) {
                self.step(at<const float>(x), B, read_from(before), written_to(after), at<float>(y),
                          threads);
            },
            released)
        .def(
            "read",
            [](const Model& self, int threads, Address ids, int64_t count,
               const std::vector<Address>& before, const std::vector<Address>& after, Address y) {
                self.read(at<const int64_t>(ids), count, read_from(before), written_to(after),
                          at<float>(y), threads);
            },
            released)
        .def(
            "generate",
            [](const Model& self, int threads, int64_t count, Address logits, uint64_t position,
               const std::vector<Address>& before, double temperature, int64_t top_k, double top_p,
               double repetition_penalty, uint64_t seed, Address seen, Address forbidden,
               Address tokens, Address all_logits, const std::vector<Address>& all_states) {
                const Sampling sampling{temperature, top_p, repetition_penalty, top_k, seed};
                int64_t why;
                const int64_t made = self.generate(
                    count, at<const float>(logits), position, read_from(before), sampling,
                    at<uint8_t>(seen), at<const uint8_t>(forbidden), at<int64_t>(tokens),
                    at<float>(all_logits), written_to(all_states), &why, threads);
                return std::make_tuple(made, why);
            },
            released)
        .def(
            "advance",
            [](const Model& self, int threads, Address texts, Address which, int64_t count) {
                self.advance(at<Text>(texts), at<const int64_t>(which), count, threads);
            },
            released);
    m.def("uniform", &uniform);
    m.def(
        "choose",
        [](const std::string& isa, Address logits, int64_t V, uint64_t position, double temperature,
           int64_t top_k, double top_p, double repetition_penalty, uint64_t seed, Address seen,
           Address forbidden) {
            const Sampling sampling{temperature, top_p, repetition_penalty, top_k, seed};
            return Chooser(build(isa), V)
                .choose(at<const float>(logits), position, sampling, at<const uint8_t>(seen),
                        at<const uint8_t>(forbidden));
        },
        released);
}

}  // namespace elman
