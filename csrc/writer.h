// Sentences written from encoded sources, many side by side: a stack of layers over the token
// before, attention to the source, and the output over a vocabulary. Greedily in one call, or step by
// step for a search.
#pragma once

#include <cstdint>
#include <vector>

#include "model_walk.h"
#include "readout.h"

namespace elman {

// B sentences of at most S tokens, as an encoder left them.
struct Sources {
    int64_t B, S;
    const int64_t* lengths;  // [B]
    const float* memory;     // [B, S, M]
    const float* keys;       // [B, S, A]
    const float* context;    // [B, M]
    States states;           // of the decoder before its first step
};

// What may be written. A sentence has `least` to `most` tokens before its end.
struct Limits {
    int64_t start, end;          // what is read before the first token, and what comes after the last
    const int64_t *least, *most;  // [B]
    int64_t no_repeat;           // no run of so many tokens comes twice; 0 allows all
    std::vector<int64_t> never;
    std::vector<std::vector<int64_t>> phrases;  // at least one token each
};

// What was written, each sentence in a row of `room` tokens, more than any may have.
struct Written {
    int64_t room;
    int64_t *tokens, *made;  // [B, room], [B]: without the end
    double* log_p;           // [B], in nats
    uint8_t* finished;       // [B]: whether the end stands there
    float* shares;           // [B, room, S]: where each token looked; what is beyond stays; or null
};

// N hypotheses of a search, and where they stand one token later.
struct Hypotheses {
    int64_t N;
    const int64_t *tokens, *sentences;  // [N]: the newest, and which of the sources each belongs to
    States before;                      // each [N, H]
    StatesOut after;
    const float* fed;  // [N, E]: what the step before was read out as; null unless it is fed back
    float* read;       // [N, E]: what this one was
    float* log_p;      // [N, V], in nats
    float* shares;     // [N, S]: where each looked; what is beyond stays; or null
};

// How the source reaches a step, beside the first state.
enum class Source : int { nothing, context, attention };

class Writer {
  public:
    // The decoder reads [embedding | what is beside it]; `readout` reads its output and, unless the
    // source is `nothing`, the context. `fed`: beside stands what the step before was read out as.
    // `query` and `v` [A] for additive attention, else null. `embedding` [V, E] and `v` are copied,
    // the models must live as long.
    Writer(const ReadoutKernels& kernels, const Model& decoder, const Model* query,
           const Model& readout, const Model& output, const float* embedding, const float* v,
           int64_t E, int64_t M, Source source, bool fed);

    // → 0, NOT_FINITE or ALL_FORBIDDEN.
    int64_t greedy(const Sources& sources, const Limits& limits, const Written& written,
                   int threads) const;

    void step(const Sources& sources, const Hypotheses& hypotheses, int threads) const;

  private:
    struct Hand;
    struct Live;
    template <class Act>
    void share_out(int64_t count, int64_t steps, int64_t S, int threads, const Act& act) const;
    template <class Shares>
    Model::Walk::Outputs score(const Sources& sources, const Shares& shares, Hand& hand,
                               Team& team) const;
    int64_t write_group(const Sources& sources, const Limits& limits, const Written& written,
                        int64_t first, int64_t count, Hand& hand, Team& team) const;
    void step_group(const Sources& sources, const Hypotheses& hypotheses, int64_t first,
                    int64_t count, Hand& hand, Team& team) const;
    void look(const Sources& sources, int64_t sentence, const float* y, const float* q,
              float* shares, float* to) const;

    const ReadoutKernels& kernels_;
    const Model &decoder_, *query_, &readout_, &output_;
    std::vector<float> embedding_, v_;
    int64_t E_, M_;
    Source source_;
    bool fed_;
};

}  // namespace elman
