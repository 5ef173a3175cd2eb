// From logits to the next token, as `elman.decode`, which is the reference, defines it.
#pragma once

#include <cstdint>
#include <vector>

#include "stream.h"

namespace elman {

struct Sampling {
    double temperature, top_p, repetition_penalty;
    int64_t top_k;
    uint64_t seed;
};

constexpr int64_t NOT_FINITE = -1, ALL_FORBIDDEN = -2;

// The number in [0, 1) that numpy's Generator(Philox(key=seed, counter=position)) draws first:
// Philox4x64-10, Salmon et al. 2011, doi:10.1145/2063384.2063405.
double uniform(uint64_t seed, uint64_t position);

// Chooses tokens out of V, for one text or many, with room of its own.
class Chooser {
  public:
    Chooser(const StreamKernels& kernels, int64_t V);

    // The token for the place `position`; or NOT_FINITE, or ALL_FORBIDDEN. logits [V]; seen [V] and
    // forbidden [V] say of which tokens they are true, null of none. Works also where denormals
    // count as zero.
    int64_t choose(const float* logits, uint64_t position, const Sampling& sampling,
                   const uint8_t* seen, const uint8_t* forbidden);

  private:
    int64_t likeliest(const float* logits, const Sampling& sampling, const uint8_t* seen,
                      const uint8_t* forbidden);
    int64_t draw(int64_t likeliest, double uniform);
    int64_t draw_of_the_first(const Sampling& sampling, double uniform);

    const StreamKernels& kernels_;
    std::vector<double> x_, p_;   // [V], penalised logits, and probabilities but for a factor
    std::vector<int64_t> order_;  // [V], tokens, the likeliest first
};

}  // namespace elman
