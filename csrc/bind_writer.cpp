// A writer of sentences as an object of Python.
#include <nanobind/stl/vector.h>

#include <vector>

#include "bind.h"
#include "writer.h"

namespace nb = nanobind;

namespace elman {
namespace {

constexpr Builds<ReadoutKernels> builds = ELMAN_BUILDS(readout);

}  // namespace

void bind_writer(nb::module_& m) {
    nb::class_<Writer>(m, "Writer")
        .def(
            "__init__",
            [](Writer* self, const std::string& isa, const Model& decoder, const Model* query,
               const Model& readout, const Model& output, Address embedding, Address v, int64_t E,
               int64_t M, int source, bool fed) {
                new (self) Writer(*builds[instruction_set(isa)], decoder, query, readout, output,
                                  at<const float>(embedding), at<const float>(v), E, M,
                                  (Source)source, fed);
            },
            nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg(),
            nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::keep_alive<1, 3>(),
            nb::keep_alive<1, 4>(), nb::keep_alive<1, 5>(), nb::keep_alive<1, 6>())
        .def(
            "greedy",
            [](const Writer& self, int threads, int64_t B, int64_t S, Address lengths,
               Address memory, Address keys, Address context, const std::vector<Address>& states,
               int64_t start, int64_t end, Address least, Address most, int64_t no_repeat,
               const std::vector<int64_t>& never, const std::vector<std::vector<int64_t>>& phrases,
               int64_t room, Address tokens, Address made, Address log_p, Address finished,
               Address shares) {
                Sources sources{B, S, at<const int64_t>(lengths), at<const float>(memory),
                                at<const float>(keys), at<const float>(context), {}};
                for (Address each : states) sources.states.push_back(at<const float>(each));
                const Limits limits{start, end, at<const int64_t>(least), at<const int64_t>(most),
                                    no_repeat, never, phrases};
                const Written written{room, at<int64_t>(tokens), at<int64_t>(made),
                                      at<double>(log_p), at<uint8_t>(finished), at<float>(shares)};
                return self.greedy(sources, limits, written, threads);
            },
            nb::call_guard<nb::gil_scoped_release>())
        .def(
            "step",
            [](const Writer& self, int threads, int64_t B, int64_t S, Address lengths,
               Address memory, Address keys, Address context, int64_t N, Address tokens,
               Address sentences, const std::vector<Address>& before,
               const std::vector<Address>& after, Address fed, Address read, Address log_p,
               Address shares) {
                const Sources sources{B, S, at<const int64_t>(lengths), at<const float>(memory),
                                      at<const float>(keys), at<const float>(context), {}};
                Hypotheses all{N, at<const int64_t>(tokens), at<const int64_t>(sentences), {}, {},
                               at<const float>(fed), at<float>(read), at<float>(log_p),
                               at<float>(shares)};
                for (Address each : before) all.before.push_back(at<const float>(each));
                for (Address each : after) all.after.push_back(at<float>(each));
                self.step(sources, all, threads);
            },
            nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace elman
