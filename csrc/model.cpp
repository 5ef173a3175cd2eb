#include "model.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace elman {
namespace {

constexpr int64_t PAD = 64;  // floats that a vector of units may be read and written beyond its end

// Up to so many bytes of weights, about what a second-level cache holds, a layer is one thread's.
constexpr int64_t SHARED_BYTES = 1 << 20;
// Below so many bytes of weights streamed in a call, no thread is woken up for it.
constexpr int64_t CALL_BYTES = 8 << 20;

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

// The states and all the room that B rows need on their way through the stack.
class Model::Walk {
  public:
    Walk(const Model& model, int64_t B, const States& before)
        : model_(model), B_(B), rows_((size_t)B) {
        int64_t floats = 0, bytes = 0, widest = model.parts_[0]->I;
        for (const auto& part : model.parts_) widest = std::max(widest, part->layer.width);
        const int64_t vector = (widest + PAD + 15) / 16 * 16;
        floats = B * vector * ((int64_t)model.parts_.size() * 3 + 5);
        bytes = B * vector * 3;
        room_ = block(floats * 4 + bytes);
        std::memset(room_.get(), 0, (size_t)(floats * 4 + bytes));
        float* next = (float*)room_.get();
        const auto take = [&] {
            float* taken = next;
            next += B * vector;
            return taken;
        };
        stride_ = vector;
        size_t k = 0;
        for (const auto& part : model.parts_) {
            const Layer& l = part->layer;
            Held held{take(), take(), take()};
            if (l.unit != Unit::linear) {
                copy_in(held.h, before[k++], l.H);
                if (l.unit == Unit::lstm) copy_in(held.c, before[k++], l.H);
            }
            held_.push_back(held);
        }
        input_ = take();
        outputs_[0] = take();
        outputs_[1] = take();
        z_ = take();
        n_ = take();
        for (uint8_t*& each : bytes_) {
            each = (uint8_t*)next;
            next += B * vector / 4;
        }
    }

    // One step from x [B, I], or from a token: the output of the last layer, rows `stride` apart.
    const float* step(const float* x, int64_t token, Team& team) {
        const float* in = input_;
        const int64_t I = model_.parts_[0]->I;
        if (x)
            copy_in(input_, x, I);
        else if (I)
            copy_in(input_, model_.embedding_.data() + token * I, I);
        int turn = 0;
        for (size_t k = 0; k < model_.parts_.size(); ++k) {
            const Part& part = *model_.parts_[k];
            const Layer& l = part.layer;
            const Held& held = held_[k];
            float* const out = outputs_[turn];
            const bool own = part.residual || l.unit == Unit::linear;  // y is not h
            const bool table = k == 0 && !x && !I;
            for (int64_t b = 0; b < B_; ++b) {
                const int64_t at = b * stride_;
                Row& row = rows_[(size_t)b];
                row.table = table ? model_.table_.data() + token * gates_x(l.unit) * l.width
                                  : nullptr;
                row.x = vector(l.x, in + at, bytes_[0] + at);
                row.h = vector(l.h, held.h + at, bytes_[1] + at);
                row.rh = Vector{};
                row.h_after = held.after + at;
                row.c = held.c + at;
                row.skip = part.residual ? in + at : nullptr;
                row.y = out + at;
                row.product = held.c + at;  // a GRU has no c
                row.z = z_ + at;
                row.n = n_ + at;
            }
            run(l, 0, team);
            if (l.rh.K) {
                for (int64_t b = 0; b < B_; ++b) {
                    Row& row = rows_[(size_t)b];
                    row.rh = vector(l.rh, row.product, bytes_[2] + b * stride_);
                }
                run(l, 1, team);
            }
            if (l.unit != Unit::linear) std::swap(held_[k].h, held_[k].after);
            in = own ? out : held_[k].h;
            if (own) turn = 1 - turn;
        }
        return in;
    }

    // Row b of every state goes to row `to` + b.
    void states(const StatesOut& after, int64_t to) const {
        size_t k = 0;
        for (size_t p = 0; p < held_.size(); ++p) {
            const Layer& l = model_.parts_[p]->layer;
            if (l.unit == Unit::linear) continue;
            copy_out(after[k++] + to * l.H, held_[p].h, l.H);
            if (l.unit == Unit::lstm) copy_out(after[k++] + to * l.H, held_[p].c, l.H);
        }
    }

    void copy_out(float* to, const float* from, int64_t n) const {
        for (int64_t b = 0; b < B_; ++b)
            std::memcpy(to + b * n, from + b * stride_, (size_t)n * sizeof(float));
    }

  private:
    struct Held {
        float *h, *after, *c;  // each B vectors
    };

    void copy_in(float* to, const float* from, int64_t n) const {
        for (int64_t b = 0; b < B_; ++b)
            std::memcpy(to + b * stride_, from + b * n, (size_t)n * sizeof(float));
    }

    Vector vector(const Matrix& m, const float* values, uint8_t* bytes) const {
        const bool as_bytes = m.K > 0 && model_.storage_ == Storage::int8;
        return {values, bytes, as_bytes ? model_.kernels_.quantise(values, m.K, bytes) : 1.0f};
    }

    void run(const Layer& l, int pass, Team& team) const {
        if (bytes_of(l) <= SHARED_BYTES)
            return model_.kernels_.run(l, rows_.data(), B_, pass, 0, l.tiles);
        team.share(l.tiles, [&](int64_t tile) {
            model_.kernels_.run(l, rows_.data(), B_, pass, tile, tile + 1);
        });
    }

    const Model& model_;
    int64_t B_, stride_ = 0;
    std::vector<Row> rows_;
    std::vector<Held> held_;
    Block room_;
    float *input_, *outputs_[2], *z_, *n_;
    uint8_t* bytes_[3];
};

int Model::workers(int64_t steps, int threads) const {
    return largest_ <= SHARED_BYTES || bytes_ * steps < CALL_BYTES ? 1 : threads;
}

void Model::step(const float* x, int64_t B, const States& before, const StatesOut& after, float* y,
                 int threads) const {
    Walk walk(*this, B, before);
    Team::gather(workers(B, threads), [&](Team& team) {
        const float* out = walk.step(x, 0, team);
        walk.copy_out(y, out, parts_.back()->layer.H);
    });
    walk.states(after, 0);
}

void Model::read(const int64_t* ids, int64_t count, const States& before, const StatesOut& after,
                 float* y, int threads) const {
    Walk walk(*this, 1, before);
    Team::gather(workers(count, threads), [&](Team& team) {
        const int64_t H = parts_.back()->layer.H;
        for (int64_t t = 0; t < count; ++t)
            walk.copy_out(y + t * H, walk.step(nullptr, ids[t], team), H);
    });
    walk.states(after, 0);
}

int64_t Model::generate(int64_t count, const float* logits, uint64_t position, const States& before,
                        Chooser& chooser, int64_t* tokens, float* all_logits,
                        const StatesOut& all_states, int64_t* why, int threads) const {
    Walk walk(*this, 1, before);
    const int64_t V = parts_.back()->layer.H;
    int64_t made = 0;
    *why = 0;
    Team::gather(workers(count, threads), [&](Team& team) {
        for (; made < count; ++made) {
            const int64_t token = chooser.choose(logits, position + (uint64_t)made);
            if (token < 0) {
                *why = token;
                return;
            }
            tokens[made] = token;
            walk.copy_out(all_logits + made * V, walk.step(nullptr, token, team), V);
            walk.states(all_states, made);
            logits = all_logits + made * V;
        }
    });
    return made;
}

}  // namespace elman
