#include "sampling.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace elman {

double uniform(uint64_t seed, uint64_t position) {
    __extension__ typedef unsigned __int128 wide;
    // Numpy counts up before it draws.
    uint64_t counter[4] = {position + 1, position + 1 == 0, 0, 0};
    uint64_t key[2] = {seed, 0};
    for (int round = 0; round < 10; ++round) {
        const wide a = (wide)0xD2E7470EE14C6C93u * counter[0];
        const wide b = (wide)0xCA5A826395121157u * counter[2];
        const uint64_t next[4] = {(uint64_t)(b >> 64) ^ counter[1] ^ key[0], (uint64_t)b,
                                  (uint64_t)(a >> 64) ^ counter[3] ^ key[1], (uint64_t)a};
        std::copy(next, next + 4, counter);
        key[0] += 0x9E3779B97F4A7C15u;
        key[1] += 0xBB67AE8584CAA73Bu;
    }
    return (double)(counter[0] >> 11) * 0x1p-53;
}

Chooser::Chooser(const StreamKernels& kernels, int64_t V)
    : kernels_(kernels), x_((size_t)V), p_((size_t)V), order_((size_t)V) {}

int64_t Chooser::choose(const float* logits, uint64_t position, const Sampling& sampling,
                        const uint8_t* seen, const uint8_t* forbidden) {
    const int64_t token = likeliest(logits, sampling, seen, forbidden);
    if (token < 0 || sampling.temperature <= 0) return token;
    const double u = uniform(sampling.seed, position);
    const bool all = sampling.top_k <= 0 && sampling.top_p >= 1;
    return all ? draw(token, u) : draw_of_the_first(sampling, u);
}

// Fills x_, and p_: probabilities but for a common factor.
int64_t Chooser::likeliest(const float* logits, const Sampling& sampling, const uint8_t* seen,
                           const uint8_t* forbidden) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const double penalty = seen ? sampling.repetition_penalty : 1.0;
    const size_t V = x_.size();
    int64_t best = 0;
    for (size_t k = 0; k < V; ++k) {
        double x = logits[k];
        if (!(x < infinity)) return NOT_FINITE;  // NaN too
        if (forbidden && forbidden[k])
            x = -infinity;
        else if (penalty != 1 && seen[k])
            x = x > 0 ? x / penalty : x * penalty;
        x_[k] = x;
        if (x > x_[(size_t)best]) best = (int64_t)k;
    }
    const double top = x_[(size_t)best];
    if (top == -infinity) return ALL_FORBIDDEN;
    if (sampling.temperature > 0) {
        for (size_t k = 0; k < V; ++k) {
            const double below = x_[k] - top;  // equals stay equal at any temperature
            p_[k] = below < 0 ? below / sampling.temperature : 0.0;
        }
        kernels_.exponentials(p_.data(), (int64_t)V);
    }
    return best;
}

int64_t Chooser::draw(int64_t likeliest, double uniform) {
    double mass = 0, cumulated = 0;
    for (double p : p_) mass += p;
    for (size_t k = 0; k < p_.size(); ++k) {
        cumulated += p_[k];
        if (cumulated > uniform * mass) return (int64_t)k;
    }
    return likeliest;
}

// With top_k or top_p: only the first of the tokens in order of their logits.
int64_t Chooser::draw_of_the_first(const Sampling& sampling, double uniform) {
    const size_t V = x_.size();
    std::iota(order_.begin(), order_.end(), 0);
    const auto before = [this](int64_t a, int64_t b) {
        const double xa = x_[(size_t)a], xb = x_[(size_t)b];
        return xa > xb || (xa == xb && a < b);  // of equals the lower id
    };
    size_t kept = V;
    if (sampling.top_k > 0 && (uint64_t)sampling.top_k < V) kept = (size_t)sampling.top_k;
    if (kept < V)
        std::nth_element(order_.begin(), order_.begin() + (int64_t)kept, order_.end(), before);
    std::sort(order_.begin(), order_.begin() + (int64_t)kept, before);
    double mass = 0, cumulated = 0;
    for (size_t k = 0; k < kept; ++k) mass += p_[(size_t)order_[k]];
    if (sampling.top_p < 1) {
        double reached = 0;
        size_t nucleus = 0;
        do reached += p_[(size_t)order_[nucleus++]];
        while (nucleus < kept && reached < sampling.top_p * mass);
        kept = nucleus;
        mass = reached;
    }
    std::sort(order_.begin(), order_.begin() + (int64_t)kept);
    for (size_t k = 0; k < kept; ++k) {
        cumulated += p_[(size_t)order_[k]];
        if (cumulated > uniform * mass) return order_[k];
    }
    return order_[kept - 1];
}

}  // namespace elman
