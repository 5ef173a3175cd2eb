// A stack of layers with packed weights, to be stepped and to write: built once, then never changed,
// so that any number of threads can use it at the same time.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "sampling.h"
#include "stream.h"
#include "team.h"

namespace elman {

// Rows [G * H, K] of a matrix: null without one. float32; float16 and int8 as bits, int8 with
// `scale` [G * H].
struct Weights {
    const void* rows;
    const float* scale;
};

// The states of a stack, layer by layer: h, and c of lstm, each [B, H].
using States = std::vector<const float*>;
using StatesOut = std::vector<float*>;

// One of many texts that go on together: it reads, then writes. Such lie in an array of Python's,
// whose fields kernels/together.py names in this order.
struct Text {
    float* state;              // [S], layer by layer h, and c of lstm; replaced
    float* logits;             // [V] of the next token; replaced
    const int64_t* ids;        // [reads]
    int64_t* tokens;           // [writes]; set
    float* all_logits;         // [reads + writes, V] after each of them, set; or null
    uint8_t* seen;             // [V]: what was read and made is added; null without a penalty
    const uint8_t* forbidden;  // [V], or null
    int64_t reads, writes;
    uint64_t position;  // of the next token; moves on
    Sampling sampling;
    int64_t made, why;  // tokens, and 0 or why there are not more of them; set
};
static_assert(sizeof(Text) == 17 * 8, "kernels/together.py");

class Model {
  public:
    Model(const StreamKernels& kernels, Storage storage) : kernels_(kernels), storage_(storage) {}
    Model(const Model&) = delete;
    const StreamKernels& kernels() const { return kernels_; }
    int64_t inputs() const { return parts_[0]->I; }
    int64_t outputs() const { return parts_.back()->layer.H; }
    int64_t bytes() const { return bytes_; }  // of all weights that a step streams
    // Whether some layer is so large that a team shares its products.
    bool shared() const { return largest_ > SHARED_BYTES; }

    // The next layer, over what the one before puts out. `bias` [S, H] of the sums. Above all layers
    // may stand one `linear` unit. A first layer over tokens has I = 0 and `table` [V, G * H].
    void add(Unit unit, int64_t I, int64_t H, bool residual, float zoneout, const Weights& x,
             const Weights& h, const float* bias);
    void set_table(const float* table, int64_t V);          // after the first layer
    void set_embedding(const float* embedding, int64_t V);  // [V, I of the first layer]

    // x [B, I] → y [B, H of the last layer] and the states after.
    void step(const float* x, int64_t B, const States& before, const StatesOut& after, float* y,
              int threads) const;
    // As many steps as there are ids, B = 1: y [count, H of the last layer], states after the last.
    void read(const int64_t* ids, int64_t count, const States& before, const StatesOut& after,
              float* y, int threads) const;
    // Up to `count` tokens from `logits` [V] at `position` on: each token, and the logits [count, V]
    // and states, each [count, H], after it. seen [V] is written to; it and forbidden [V] may be
    // null. → how many were made, and in `why` 0, NOT_FINITE or ALL_FORBIDDEN.
    int64_t generate(int64_t count, const float* logits, uint64_t position, const States& before,
                     const Sampling& sampling, uint8_t* seen, const uint8_t* forbidden,
                     int64_t* tokens, float* all_logits, const StatesOut& all_states, int64_t* why,
                     int threads) const;
    // texts[which[0]], … texts[which[count - 1]] read and write what they are to. Each gets what it
    // gets alone, bit for bit.
    void advance(Text* texts, const int64_t* which, int64_t count, int threads) const;

    class Walk;  // model_walk.h

  private:
    // Up to so many bytes of weights, about what a second-level cache holds, a layer is one thread's.
    static constexpr int64_t SHARED_BYTES = 1 << 20;

    struct Freed {
        void operator()(void* p) const { std::free(p); }
    };
    using Block = std::unique_ptr<void, Freed>;
    struct Part {  // what `Layer` points to
        Layer layer;
        int64_t I;
        bool residual;
        int64_t bytes;  // of its weights
        std::vector<float> bias;
        std::vector<Block> blocks;
    };
    void advance_group(Text* texts, const int64_t* which, int64_t count, Walk& walk,
                       Chooser& chooser, Team& team) const;
    static Block block(int64_t bytes);
    Matrix packed(Part& part, int64_t K, int64_t G, int64_t first, const Weights& weights) const;
    int workers(int64_t steps, int threads) const;

    const StreamKernels& kernels_;
    Storage storage_;
    std::vector<std::unique_ptr<Part>> parts_;
    std::vector<float> table_, embedding_;
    int64_t bytes_ = 0, largest_ = 0;  // of all weights, and of one layer's
};

}  // namespace elman
