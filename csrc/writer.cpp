#include "writer.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "deal.h"

namespace elman {
namespace {

constexpr float NEVER = -std::numeric_limits<float>::infinity();

// Whether `begun` stands at the end of the `made` tokens.
bool stands(const int64_t* begun, int64_t n, const int64_t* tokens, int64_t made) {
    return n <= made && std::equal(begun, begun + n, tokens + made - n);
}

// Makes the logits of tokens that may not come after `made` of sentence b -inf.
void block(float* logits, int64_t V, const Limits& limits, int64_t b, const int64_t* tokens,
           int64_t made) {
    for (int64_t token : limits.never) logits[token] = NEVER;
    for (const std::vector<int64_t>& phrase : limits.phrases)
        if (stands(phrase.data(), (int64_t)phrase.size() - 1, tokens, made))
            logits[phrase.back()] = NEVER;
    if (const int64_t n = limits.no_repeat; n > 0)
        for (int64_t k = 0; k + n <= made; ++k)
            if (stands(tokens + k, n - 1, tokens, made)) logits[tokens[k + n - 1]] = NEVER;
    if (made < limits.least[b]) logits[limits.end] = NEVER;
    if (made == limits.most[b]) {
        const float kept = logits[limits.end];
        std::fill(logits, logits + V, NEVER);
        logits[limits.end] = kept;
    }
}

}  // namespace

struct Writer::Live {
    int64_t sentence, token;
    double log_p;
};

struct Writer::Hand {
    Hand(const Writer& writer, int64_t rows, int64_t S)
        : decoder(writer.decoder_, rows),
          readout(writer.readout_, rows),
          output(writer.output_, rows),
          logits((size_t)writer.output_.outputs()),
          shares((size_t)S) {
        if (writer.query_) query.reset(new Model::Walk(*writer.query_, rows));
        live.reserve((size_t)rows);
    }

    Model::Walk decoder, readout, output;
    std::unique_ptr<Model::Walk> query;
    std::vector<float> logits, shares;
    std::vector<Live> live;
    Team alone{};
};

Writer::Writer(const ReadoutKernels& kernels, const Model& decoder, const Model* query,
               const Model& readout, const Model& output, const float* embedding, const float* v,
               int64_t E, int64_t M, Source source, bool fed)
    : kernels_(kernels),
      decoder_(decoder),
      query_(query),
      readout_(readout),
      output_(output),
      embedding_(embedding, embedding + output.outputs() * E),
      E_(E),
      M_(M),
      source_(source),
      fed_(fed) {
    if (v) v_.assign(v, v + query->outputs());
}

// act(first, count, hand, team) for groups of `count` rows that go through `steps` steps in all.
template <class Act>
void Writer::share_out(int64_t count, int64_t steps, int64_t S, int threads, const Act& act) const {
    int64_t bytes = decoder_.bytes() + readout_.bytes() + output_.bytes();
    if (query_) bytes += query_->bytes();
    threads = hands(bytes * steps, threads);
    if (count > FEW)
        return deal<Hand>(
            count, threads, [&](int64_t rows) { return new Hand(*this, rows, S); },
            [&](Hand& hand, int64_t first, int64_t last) {
                act(first, last - first, hand, hand.alone);
            });
    Hand hand(*this, count, S);  // few share the products of large layers
    Team::gather(threads, [&](Team& team) { act(0, count, hand, team); });
}

int64_t Writer::greedy(const Sources& sources, const Limits& limits, const Written& written,
                       int threads) const {
    int64_t steps = 0;
    for (int64_t b = 0; b < sources.B; ++b) steps += limits.most[b] + 1;
    std::atomic<int64_t> why{0};
    share_out(sources.B, steps, sources.S, threads,
              [&](int64_t first, int64_t count, Hand& hand, Team& team) {
                  if (const int64_t error =
                          write_group(sources, limits, written, first, count, hand, team))
                      why.store(error);
              });
    return why.load();
}

void Writer::step(const Sources& sources, const Hypotheses& hypotheses, int threads) const {
    share_out(hypotheses.N, hypotheses.N, sources.S, threads,
              [&](int64_t first, int64_t count, Hand& hand, Team& team) {
                  step_group(sources, hypotheses, first, count, hand, team);
              });
}

// The logits after the tokens of the hand's rows; what each was read out as is what its output saw.
// shares(b) [S] is written to.
template <class Shares>
Model::Walk::Outputs Writer::score(const Sources& sources, const Shares& shares, Hand& hand,
                                   Team& team) const {
    const int64_t rows = (int64_t)hand.live.size();
    for (int64_t b = 0; b < rows; ++b) {
        const Live& row = hand.live[(size_t)b];
        float* x = hand.decoder.seen(b);
        x = std::copy_n(embedding_.data() + row.token * E_, E_, x);
        if (fed_) std::copy_n(hand.output.seen(b), E_, x);
        if (source_ == Source::context) std::copy_n(sources.context + row.sentence * M_, M_, x);
    }
    const Model::Walk::Outputs y = hand.decoder.step(nullptr, rows, nullptr, team);
    Model::Walk::Outputs q = y;
    if (query_) {
        for (int64_t b = 0; b < rows; ++b) hand.query->see(b, y.row(b));
        q = hand.query->step(nullptr, rows, nullptr, team);
    }
    for (int64_t b = 0; b < rows; ++b)
        look(sources, hand.live[(size_t)b].sentence, y.row(b), q.row(b), shares(b),
             hand.readout.seen(b));
    const Model::Walk::Outputs read = hand.readout.step(nullptr, rows, nullptr, team);
    for (int64_t b = 0; b < rows; ++b) {
        hand.output.see(b, read.row(b));
        kernels_.tanh(hand.output.seen(b), E_);
    }
    return hand.output.step(nullptr, rows, nullptr, team);
}

void Writer::step_group(const Sources& sources, const Hypotheses& hypotheses, int64_t first,
                        int64_t count, Hand& hand, Team& team) const {
    const int64_t V = output_.outputs(), S = sources.S;
    hand.live.clear();
    for (int64_t b = 0, n = first; b < count; ++b, ++n) {
        hand.live.push_back({hypotheses.sentences[n], hypotheses.tokens[n], 0.0});
        hand.decoder.enter(b, row_of(hypotheses.before, n));
        if (fed_) std::copy_n(hypotheses.fed + n * E_, E_, hand.output.seen(b));
    }
    const auto shares = [&](int64_t b) {
        return hypotheses.shares ? hypotheses.shares + (first + b) * S : hand.shares.data();
    };
    const Model::Walk::Outputs scores = score(sources, shares, hand, team);
    for (int64_t b = 0, n = first; b < count; ++b, ++n) {
        hand.decoder.leave(b, row_of(hypotheses.after, n));
        if (fed_) std::copy_n(hand.output.seen(b), E_, hypotheses.read + n * E_);
        kernels_.log_softmax(scores.row(b), hypotheses.log_p + n * V, V);
    }
}

// Rows of the walks are sentences that go on; the last takes the place of one that has ended.
int64_t Writer::write_group(const Sources& sources, const Limits& limits, const Written& written,
                            int64_t first, int64_t count, Hand& hand, Team& team) const {
    const int64_t V = output_.outputs();
    std::vector<Live>& live = hand.live;
    live.clear();
    for (int64_t b = 0; b < count; ++b) {
        hand.decoder.enter(b, row_of(sources.states, first + b));
        live.push_back({first + b, limits.start, 0.0});
        std::fill_n(hand.output.seen(b), E_, 0.0f);  // what is fed back, and nothing was yet
    }
    for (int64_t t = 0; !live.empty(); ++t) {
        const int64_t rows = (int64_t)live.size();
        const auto shares = [&](int64_t b) {
            const int64_t place = live[(size_t)b].sentence * written.room + t;
            return written.shares ? written.shares + place * sources.S : hand.shares.data();
        };
        const Model::Walk::Outputs scores = score(sources, shares, hand, team);
        for (int64_t b = rows; b-- > 0;) {
            Live& row = live[(size_t)b];
            const int64_t n = row.sentence;
            int64_t* tokens = written.tokens + n * written.room;
            const float* logits = scores.row(b);
            const Mass mass = kernels_.mass(logits, V);
            if (!(mass.sum < -NEVER)) return NOT_FINITE;
            std::copy_n(logits, V, hand.logits.data());
            block(hand.logits.data(), V, limits, n, tokens, t);
            row.token = kernels_.largest(hand.logits.data(), V);
            const bool none = hand.logits[(size_t)row.token] == NEVER;
            if (none && t == 0 && limits.most[n] > 0) return ALL_FORBIDDEN;
            if (!none) row.log_p += (logits[row.token] - mass.most) - std::log(mass.sum);
            const bool ends = none || row.token == limits.end;
            if (!ends) {
                tokens[t] = row.token;
                continue;
            }
            written.made[n] = t;
            written.log_p[n] = row.log_p;
            written.finished[n] = !none;
            const int64_t last = (int64_t)live.size() - 1;
            if (b < last) {
                hand.decoder.move(last, b);
                std::copy_n(hand.output.seen(last), E_, hand.output.seen(b));
                row = live.back();
            }
            live.pop_back();
        }
    }
    return 0;
}

// What the output y of a step is read out with, [H] or [H + M], goes to `to`.
void Writer::look(const Sources& sources, int64_t sentence, const float* y, const float* q,
                  float* shares, float* to) const {
    to = std::copy_n(y, decoder_.outputs(), to);
    const int64_t S = sources.S;
    if (source_ == Source::context) std::copy_n(sources.context + sentence * M_, M_, to);
    if (source_ != Source::attention) return;
    const int64_t A = query_ ? query_->outputs() : decoder_.outputs();
    const Looked at{sources.keys + sentence * S * A,
                    sources.memory + sentence * S * M_,
                    sources.lengths[sentence],
                    A,
                    M_,
                    query_ ? v_.data() : nullptr};
    kernels_.attend(at, q, shares, to);
}

}  // namespace elman
