// A walk of a few rows through the steps of a stack.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "model.h"

namespace elman {

// The states of row b, one after the other, where they lie as [B, H] each.
template <class All>
auto row_of(const All& all, int64_t b) {
    return [&all, b, k = (size_t)0](int64_t H) mutable { return all[k++] + b * H; };
}

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
    void see(int64_t b, const float* x) { copy(seen(b), x, model_.parts_[0]->I); }
    float* seen(int64_t b) { return input_ + b * stride_; }  // [I]: what it reads, to be written

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
            run(part, count, 0, team);
            if (l.rh.K) {
                for (int64_t b = 0; b < B; ++b) {
                    Row& row = rows_[(size_t)b];
                    row.rh = vector(l.rh, row.product, bytes_[2] + b * stride_);
                }
                run(part, count, 1, team);
            }
            if (l.unit != Unit::linear) std::swap(held_[k].h, held_[k].after);
            in = own ? Outputs{out, out_stride_} : Outputs{held_[k].h, stride_};
            if (own) turn = 1 - turn;
        }
        return in;
    }

  private:
    // Floats that a vector of units may be read and written beyond its end.
    static constexpr int64_t PAD = 64;

    struct Held {
        float *h, *after, *c;  // each B vectors
    };

    static int64_t padded(int64_t floats) { return (floats + PAD + 15) / 16 * 16; }

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

    void run(const Part& part, int64_t count, int pass, Team& team) const {
        const Layer& l = part.layer;
        if (part.bytes <= SHARED_BYTES)
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

}  // namespace elman
