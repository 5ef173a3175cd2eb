#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "deal.h"
#include "model_walk.h"

namespace elman {
namespace {

int64_t bytes_of(const Layer& l, const Matrix& m) {
    const int64_t width = l.storage == Storage::float32 ? 4 : l.storage == Storage::float16 ? 2 : 1;
    return m.K * m.G * l.width * width;
}

int64_t bytes_of(const Layer& l) { return bytes_of(l, l.x) + bytes_of(l, l.h) + bytes_of(l, l.rh); }

}  // namespace

Model::Block Model::block(int64_t bytes) {
    Block made(std::aligned_alloc(64, (size_t)(bytes + 127) / 64 * 64));
    if (!made) throw std::bad_alloc();
    return made;
}

// Gates `first` .. first + G of the weights.
Matrix Model::packed(Part& part, int64_t K, int64_t G, int64_t first, const Weights& w) const {
    Layer& l = part.layer;
    Matrix m{K, G, nullptr, nullptr, nullptr};
    if (!w.rows || !K || !G) return {0, 0, nullptr, nullptr, nullptr};
    const int64_t element = storage_ == Storage::float32 ? 4 : storage_ == Storage::float16 ? 2 : 1;
    const char* rows = (const char*)w.rows + first * l.H * K * element;
    Block values = block(kernels_.packed_bytes(l, K, G));
    kernels_.pack(l, K, G, rows, values.get());
    m.values = values.get();
    part.blocks.push_back(std::move(values));
    if (storage_ == Storage::int8) {
        Block scale = block(G * l.width * 4), zero = block(G * l.width * 4);
        const int64_t lanes = l.width / l.tiles;  // units of a tile
        for (int64_t tile = 0; tile < l.tiles; ++tile)
            for (int64_t g = 0; g < G; ++g)
                for (int64_t lane = 0; lane < lanes; ++lane) {
                    const int64_t unit = tile * lanes + lane, row = g * l.H + unit;
                    const int64_t to = (tile * G + g) * lanes + lane;
                    int32_t sum = 0;
                    if (unit < l.H)
                        for (int64_t k = 0; k < K; ++k) sum += ((const int8_t*)rows)[row * K + k];
                    ((float*)scale.get())[to] = unit < l.H ? w.scale[first * l.H + row] : 0.0f;
                    ((int32_t*)zero.get())[to] = 128 * sum;
                }
        m.scale = (const float*)scale.get();
        m.zero = (const int32_t*)zero.get();
        part.blocks.push_back(std::move(scale));
        part.blocks.push_back(std::move(zero));
    }
    return m;
}

void Model::add(Unit unit, int64_t I, int64_t H, bool residual, float zoneout, const Weights& x,
                const Weights& h, const float* bias) {
    auto part = std::make_unique<Part>();
    Layer& l = part->layer;
    l = Layer{};
    l.unit = unit;
    l.storage = storage_;
    l.H = H;
    l.zoneout = zoneout;
    part->I = I;
    part->residual = residual;
    kernels_.cut(l);
    l.x = packed(*part, I, gates_x(unit), 0, x);
    l.h = packed(*part, H, gates_h(unit), 0, h);
    l.rh = packed(*part, H, gates_rh(unit), 2, h);
    part->bias.resize((size_t)(sums(unit) * l.width));
    for (int s = 0; s < sums(unit); ++s)
        std::copy(bias + s * H, bias + (s + 1) * H, part->bias.data() + s * l.width);
    l.bias = part->bias.data();
    part->bytes = bytes_of(l);
    bytes_ += part->bytes;
    largest_ = std::max(largest_, part->bytes);
    parts_.push_back(std::move(part));
}

void Model::set_table(const float* table, int64_t V) {
    const Layer& l = parts_[0]->layer;
    const int64_t G = gates_x(l.unit);
    table_.assign((size_t)(V * G * l.width), 0.0f);
    for (int64_t row = 0; row < V * G; ++row)
        std::copy(table + row * l.H, table + (row + 1) * l.H, table_.data() + row * l.width);
}

void Model::set_embedding(const float* embedding, int64_t V) {
    embedding_.assign(embedding, embedding + V * parts_[0]->I);
}

// ---- Steps ---------------------------------------------------------------------------------

int Model::workers(int64_t steps, int threads) const {
    if (!shared() || threads < 2) return 1;
    return hands(bytes_ * steps, threads) > 1 || Team::is_awake() ? threads : 1;
}

void Model::step(const float* x, int64_t B, const States& before, const StatesOut& after, float* y,
                 int threads) const {
    Walk walk(*this, B);
    const int64_t I = parts_[0]->I, O = parts_.back()->layer.H;
    for (int64_t b = 0; b < B; ++b) {
        walk.enter(b, row_of(before, b));
        walk.see(b, x + b * I);
    }
    Team::gather(workers(B, threads), [&](Team& team) {
        const Walk::Outputs out = walk.step(nullptr, B, nullptr, team);
        for (int64_t b = 0; b < B; ++b) std::copy(out.row(b), out.row(b) + O, y + b * O);
    });
    for (int64_t b = 0; b < B; ++b) walk.leave(b, row_of(after, b));
}

void Model::read(const int64_t* ids, int64_t count, const States& before, const StatesOut& after,
                 float* y, int threads) const {
    Walk walk(*this, 1);
    walk.enter(0, row_of(before, 0));
    Team::gather(workers(count, threads), [&](Team& team) {
        const int64_t O = parts_.back()->layer.H;
        for (int64_t t = 0; t < count; ++t) {
            const float* out = walk.step(ids + t, 1, nullptr, team).start;
            std::copy(out, out + O, y + t * O);
        }
    });
    walk.leave(0, row_of(after, 0));
}

int64_t Model::generate(int64_t count, const float* logits, uint64_t position, const States& before,
                        const Sampling& sampling, uint8_t* seen, const uint8_t* forbidden,
                        int64_t* tokens, float* all_logits, const StatesOut& all_states,
                        int64_t* why, int threads) const {
    const int64_t V = parts_.back()->layer.H;
    Walk walk(*this, 1);
    Chooser chooser(kernels_, V);
    walk.enter(0, row_of(before, 0));
    int64_t made = 0;
    *why = 0;
    Team::gather(workers(count, threads), [&](Team& team) {
        for (; made < count; ++made) {
            const int64_t token =
                chooser.choose(logits, position + (uint64_t)made, sampling, seen, forbidden);
            if (token < 0) {
                *why = token;
                return;
            }
            tokens[made] = token;
            if (seen) seen[token] = 1;
            const float* out = walk.step(&token, 1, nullptr, team).start;
            std::copy(out, out + V, all_logits + made * V);
            walk.leave(0, row_of(all_states, made));
            logits = all_logits + made * V;
        }
    });
    return made;
}

// ---- Many texts ----------------------------------------------------------------------------

void Model::advance(Text* texts, const int64_t* which, int64_t count, int threads) const {
    const int64_t V = parts_.back()->layer.H;
    int64_t steps = 0;
    for (int64_t k = 0; k < count; ++k) steps += texts[which[k]].reads + texts[which[k]].writes;
    if (count <= FEW) {  // they share the products of large layers
        Walk walk(*this, std::max<int64_t>(count, 1));
        Chooser chooser(kernels_, V);
        return Team::gather(workers(steps, threads), [&](Team& team) {
            advance_group(texts, which, count, walk, chooser, team);
        });
    }
    struct Hand {
        Walk walk;
        Chooser chooser;
        Team alone{};
    };
    deal<Hand>(
        count, hands(bytes_ * steps, threads),
        [&](int64_t rows) { return new Hand{{*this, rows}, {kernels_, V}}; },
        [&](Hand& hand, int64_t first, int64_t last) {
            advance_group(texts, which + first, last - first, hand.walk, hand.chooser, hand.alone);
        });
}

// Rows of the walk are texts that go on; the last takes the place of one that has done its part.
void Model::advance_group(Text* texts, const int64_t* which, int64_t count, Walk& walk,
                          Chooser& chooser, Team& team) const {
    const int64_t V = parts_.back()->layer.H;
    struct Place {
        Text* text;
        int64_t done;  // tokens read and made
    };
    const auto states_of = [](const Text& text) {
        return [next = text.state](int64_t H) mutable { return std::exchange(next, next + H); };
    };
    std::vector<Place> places;
    for (int64_t b = 0; b < count; ++b) {
        Text& text = texts[which[b]];
        text.made = text.why = 0;
        walk.enter(b, states_of(text));
        places.push_back({&text, 0});
    }
    std::vector<int64_t> tokens((size_t)count);
    std::vector<uint8_t> wanted((size_t)count);
    int64_t live = count;
    // The next token of the text in row b; or no token, where it has none.
    const auto next_token = [&](Place& place) -> int64_t {
        Text& text = *place.text;
        if (place.done < text.reads) return text.ids[place.done];
        if (text.made == text.writes) return -1;
        const int64_t token = chooser.choose(text.logits, text.position, text.sampling, text.seen,
                                             text.forbidden);
        if (token < 0)
            text.why = token;
        else
            text.tokens[text.made++] = token;
        return token;
    };
    for (;;) {
        for (int64_t b = 0; b < live;) {
            Place& place = places[(size_t)b];
            Text& text = *place.text;
            const int64_t token = next_token(place);
            if (token < 0) {
                walk.leave(b, states_of(text));
                if (b < --live) {
                    walk.move(live, b);
                    place = places[(size_t)live];
                }
                continue;
            }
            if (text.seen) text.seen[token] = 1;
            ++text.position;
            ++place.done;
            tokens[(size_t)b] = token;
            wanted[(size_t)b] = text.all_logits || place.done >= text.reads;
            ++b;
        }
        if (!live) return;
        const Walk::Outputs all = walk.step(tokens.data(), live, wanted.data(), team);
        for (int64_t b = 0; b < live; ++b) {
            if (!wanted[(size_t)b]) continue;
            const float* out = all.row(b);
            const auto [text, done] = places[(size_t)b];
            std::copy(out, out + V, text->logits);
            if (text->all_logits) std::copy(out, out + V, text->all_logits + (done - 1) * V);
        }
    }
}

}  // namespace elman
