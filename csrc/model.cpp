#include "model.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <utility>

namespace elman {
namespace {

constexpr int64_t PAD = 64;  // floats that a vector of units may be read and written beyond its end

// Up to so many bytes of weights, about what a second-level cache holds, a layer is one thread's.
constexpr int64_t SHARED_BYTES = 1 << 20;
// Below so many bytes of weights streamed in a call, no thread is woken up for it.
constexpr int64_t CALL_BYTES = 8 << 20;
// Texts that one thread takes through the stack together: enough to read weights for many rows at
// once, few enough that all their states stay close. Up to FEW are not dealt out.
constexpr int64_t GROUP = 96, FEW = 6;

int64_t padded(int64_t floats) { return (floats + PAD + 15) / 16 * 16; }

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
    bytes_ += bytes_of(l);
    largest_ = std::max(largest_, bytes_of(l));
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

// ---- A walk through steps ------------------------------------------------------------------

// The states of up to B rows, and all the room that they need on their way through the stack.
class Model::Walk {
  public:
    Walk(const Model& model, int64_t B) : model_(model), rows_((size_t)B) {
        int64_t widest = model.parts_[0]->I;
        for (const auto& part : model.parts_)
            if (part->layer.unit != Unit::linear) widest = std::max(widest, part->layer.width);
        stride_ = padded(widest);
        out_stride_ = padded(std::max(widest, model.parts_.back()->layer.width));
        const int64_t vectors = (int64_t)model.parts_.size() * 3 + 3;
        const int64_t floats = B * (stride_ * vectors + 2 * out_stride_), bytes = B * stride_ * 3;
        room_ = block(floats * 4 + bytes);
        std::memset(room_.get(), 0, (size_t)(floats * 4 + bytes));
        float* next = (float*)room_.get();
        const auto take = [&](int64_t stride) {
            float* taken = next;
            next += B * stride;
            return taken;
        };
        for (size_t k = 0; k < model.parts_.size(); ++k)
            held_.push_back({take(stride_), take(stride_), take(stride_)});
        input_ = take(stride_);
        z_ = take(stride_);
        n_ = take(stride_);
        outputs_[0] = take(out_stride_);
        outputs_[1] = take(out_stride_);
        for (uint8_t*& each : bytes_) {
            each = (uint8_t*)next;
            next += B * stride_ / 4;
        }
    }

    // Row b begins with the states that from(H) gives one after the other.
    template <class From>
    void enter(int64_t b, From from) {
        for_states(b, [&](float* state, int64_t H) { copy(state, from(H), H); });
    }

    // The states of row b go where to(H) says, one after the other.
    template <class To>
    void leave(int64_t b, To to) {
        for_states(b, [&](float* state, int64_t H) { copy(to(H), state, H); });
    }

    // Row `to` goes on as row `from`.
    void move(int64_t from, int64_t to) {
        const int64_t by = (to - from) * stride_;
        for_states(from, [&](float* state, int64_t H) { copy(state + by, state, H); });
    }

    // Row b of the next step reads x [I].
    void see(int64_t b, const float* x) { copy(input_ + b * stride_, x, model_.parts_[0]->I); }

    // The output of the last layer for each row.
    struct Outputs {
        const float* start;
        int64_t stride;
        const float* row(int64_t b) const { return start + b * stride; }
    };

    // One step of the first B rows, from what they see, or from tokens [B]. A matrix behind the
    // layers is multiplied only for rows that are `wanted` [B], null for all.
    Outputs step(const int64_t* tokens, int64_t B, const uint8_t* wanted, Team& team) {
        Outputs in{input_, stride_};
        const int64_t I = model_.parts_[0]->I;
        const bool table = tokens && !I;
        if (tokens && I)
            for (int64_t b = 0; b < B; ++b) see(b, model_.embedding_.data() + tokens[b] * I);
        int turn = 0;
        for (size_t k = 0; k < model_.parts_.size(); ++k) {
            const Part& part = *model_.parts_[k];
            const Layer& l = part.layer;
            const Held& held = held_[k];
            float* const out = outputs_[turn];
            const bool own = part.residual || l.unit == Unit::linear;  // y is not h
            int64_t count = 0;
            for (int64_t b = 0; b < B; ++b) {
                if (l.unit == Unit::linear && wanted && !wanted[b]) continue;
                const int64_t at = b * stride_;
                Row& row = rows_[(size_t)count++];
                row.table = k == 0 && table
                                ? model_.table_.data() + tokens[b] * gates_x(l.unit) * l.width
                                : nullptr;
                row.x = vector(l.x, in.row(b), bytes_[0] + at);
                row.h = vector(l.h, held.h + at, bytes_[1] + at);
                row.rh = Vector{};
                row.h_after = held.after + at;
                row.c = held.c + at;
                row.skip = part.residual ? in.row(b) : nullptr;
                row.y = out + b * out_stride_;
                row.product = held.c + at;  // a GRU has no c
                row.z = z_ + at;
                row.n = n_ + at;
            }
            run(l, count, 0, team);
            if (l.rh.K) {
                for (int64_t b = 0; b < B; ++b) {
                    Row& row = rows_[(size_t)b];
                    row.rh = vector(l.rh, row.product, bytes_[2] + b * stride_);
                }
                run(l, count, 1, team);
            }
            if (l.unit != Unit::linear) std::swap(held_[k].h, held_[k].after);
            in = own ? Outputs{out, out_stride_} : Outputs{held_[k].h, stride_};
            if (own) turn = 1 - turn;
        }
        return in;
    }

  private:
    struct Held {
        float *h, *after, *c;  // each B vectors
    };

    static void copy(float* to, const float* from, int64_t n) {
        std::memcpy(to, from, (size_t)n * sizeof(float));
    }

    template <class Do>
    void for_states(int64_t b, Do act) {
        for (size_t k = 0; k < held_.size(); ++k) {
            const Layer& l = model_.parts_[k]->layer;
            if (l.unit == Unit::linear) continue;
            act(held_[k].h + b * stride_, l.H);
            if (l.unit == Unit::lstm) act(held_[k].c + b * stride_, l.H);
        }
    }

    Vector vector(const Matrix& m, const float* values, uint8_t* bytes) const {
        const bool as_bytes = m.K > 0 && model_.storage_ == Storage::int8;
        return {values, bytes, as_bytes ? model_.kernels_.quantise(values, m.K, bytes) : 1.0f};
    }

    void run(const Layer& l, int64_t count, int pass, Team& team) const {
        if (bytes_of(l) <= SHARED_BYTES)
            return model_.kernels_.run(l, rows_.data(), count, pass, 0, l.tiles);
        team.share(l.tiles, [&](int64_t tile) {
            model_.kernels_.run(l, rows_.data(), count, pass, tile, tile + 1);
        });
    }

    const Model& model_;
    int64_t stride_, out_stride_;  // floats from row to row
    std::vector<Row> rows_;
    std::vector<Held> held_;
    Block room_;
    float *input_, *outputs_[2], *z_, *n_;
    uint8_t* bytes_[3];
};

// The states of row b, one after the other, where they lie as [B, H] each.
template <class All>
auto row_of(const All& all, int64_t b) {
    return [&all, b, k = (size_t)0](int64_t H) mutable { return all[k++] + b * H; };
}

int Model::workers(int64_t steps, int threads) const {
    return largest_ <= SHARED_BYTES || bytes_ * steps < CALL_BYTES ? 1 : threads;
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
    const int64_t hands = bytes_ * steps < CALL_BYTES ? 1 : std::min<int64_t>(threads, count / FEW);
    const int64_t groups = (count + GROUP * hands - 1) / (GROUP * hands) * hands;
    struct Hand {
        Walk walk;
        Chooser chooser;
        Team alone{};
    };
    std::vector<std::unique_ptr<Hand>> all;
    for (int64_t k = 0; k < hands; ++k)
        all.emplace_back(new Hand{{*this, (count + groups - 1) / groups}, {kernels_, V}});
    std::atomic<int64_t> next{0};
    run_jobs((int)hands, threads, [&](int k) {
        Hand& hand = *all[(size_t)k];
        for (int64_t g; (g = next.fetch_add(1)) < groups;) {
            const int64_t first = count * g / groups, last = count * (g + 1) / groups;
            advance_group(texts, which + first, last - first, hand.walk, hand.chooser, hand.alone);
        }
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
