// How many texts that know nothing of each other are dealt out to threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "pool.h"

namespace elman {

// Texts that one thread takes through a stack together: enough to read weights for many rows at
// once, few enough that all their states stay close. Up to FEW are not dealt out.
constexpr int64_t GROUP = 96, FEW = 6;

// Threads for a call that streams so many bytes of weights: for few nobody is woken up.
inline int hands(int64_t bytes, int threads) { return bytes < (8 << 20) ? 1 : threads; }

// act(hand, first, last) for groups of neighbours of `count` texts, in at most `threads` threads. A
// thread has one hand for all its groups: new, from make(rows), with room for the largest.
template <class Hand, class Make, class Act>
void deal(int64_t count, int threads, const Make& make, const Act& act) {
    const int64_t hands = std::min<int64_t>(threads, std::max<int64_t>(count / FEW, 1));
    const int64_t groups = (count + GROUP * hands - 1) / (GROUP * hands) * hands;
    std::vector<std::unique_ptr<Hand>> all;
    for (int64_t k = 0; k < hands; ++k) all.emplace_back(make((count + groups - 1) / groups));
    std::atomic<int64_t> next{0};
    run_jobs((int)hands, threads, [&](int k) {
        for (int64_t g; (g = next.fetch_add(1)) < groups;)
            act(*all[(size_t)k], count * g / groups, count * (g + 1) / groups);
    });
}

}  // namespace elman
