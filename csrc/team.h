// Threads that stay together through many short pieces of work, such as the products of a
// generation. Whoever comes first leads, and never waits for anybody to join: alone it does all.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <functional>

#include "pool.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace elman {

// Waits a little longer each time: some microseconds by spinning, then by giving the core away.
class Patience {
  public:
    void wait() {
        if (++waited_ > SPINS) {
            sched_yield();
            return;
        }
#if defined(__x86_64__)
        _mm_pause();
#endif
    }
    void reset() { waited_ = 0; }

  private:
    static constexpr int SPINS = 1000;
    int waited_ = 0;
};

class Team {
  public:
    // Runs lead(team) once, in one thread of at most `threads`, the caller's among them.
    static void gather(int threads, const std::function<void(Team&)>& lead) {
        Team team;
        team.alone_ = threads < 2;
        if (team.alone_) return run_jobs(1, 1, [&](int) { lead(team); });
        std::atomic<bool> led{false};
        run_jobs(threads, threads, [&](int) {
            if (led.exchange(true)) return team.help();
            lead(team);
            team.over_.store(true, std::memory_order_release);
        });
        remember(team.helped_.load(std::memory_order_relaxed));
    }

    // Whether helpers may be expected to come at once, as for work of some microseconds they must.
    // Threads sleep when there was nothing to do for some milliseconds, and to be woken takes longer
    // than such work. So after two calls for which all came too late a few are done alone.
    static bool is_awake() {
        int alone = calls_alone_.load(std::memory_order_relaxed);
        if (alone <= 0) return true;
        calls_alone_.store(alone - 1, std::memory_order_relaxed);
        return false;
    }

    // For the leader: piece(0) … piece(pieces - 1), each once, and back when all are done. It takes
    // pieces from the front and the helpers from the back, so that with one helper most weights
    // stay in the same core's cache from step to step.
    template <class Piece>
    void share(int64_t pieces, const Piece& piece) {
        if (alone_ || pieces < 2 || pieces > MOST) {
            for (int64_t k = 0; k < pieces; ++k) piece(k);
            return;
        }
        piece_ = &piece;
        run_ = [](const void* it, int64_t k) { (*(const Piece*)it)(k); };
        left_.store(pieces, std::memory_order_relaxed);
        ++round_;
        open_.store(Open{round_, 0, (uint16_t)pieces}.word(), std::memory_order_release);
        int64_t done = 0;
        for (int64_t k; (k = take(true)) >= 0; ++done) piece(k);
        left_.fetch_sub(done, std::memory_order_acq_rel);
        for (Patience patience; left_.load(std::memory_order_acquire) > 0;) patience.wait();
    }

  private:
    static constexpr int64_t MOST = 65535;
    static constexpr int REST = 64;  // calls

    static inline std::atomic<int> calls_alone_{0}, late_{0};

    static void remember(bool helped) {
        if (helped)
            late_.store(0, std::memory_order_relaxed);
        else if (late_.fetch_add(1, std::memory_order_relaxed) > 0) {
            late_.store(0, std::memory_order_relaxed);
            calls_alone_.store(REST, std::memory_order_relaxed);
        }
    }

    // The pieces that nobody has taken yet, in one word. The round keeps a thread that was away
    // from taking a piece of a later one by what it read before.
    struct Open {
        uint32_t round;
        uint16_t first, end;
        uint64_t word() const { return (uint64_t)round << 32 | (uint64_t)first << 16 | end; }
        static Open of(uint64_t word) {
            return {(uint32_t)(word >> 32), (uint16_t)(word >> 16), (uint16_t)word};
        }
    };

    int64_t take(bool front) {
        for (uint64_t word = open_.load(std::memory_order_acquire);;) {
            Open open = Open::of(word);
            if (open.first >= open.end) return -1;
            const int64_t taken = front ? open.first++ : --open.end;
            if (open_.compare_exchange_weak(word, open.word(), std::memory_order_acq_rel,
                                            std::memory_order_acquire))
                return taken;
        }
    }

    void help() {
        Patience patience;
        while (!over_.load(std::memory_order_acquire)) {
            const int64_t taken = take(false);
            if (taken < 0) {
                patience.wait();
                continue;
            }
            helped_.store(true, std::memory_order_relaxed);
            run_(piece_, taken);  // it stays what it is until this piece is done
            left_.fetch_sub(1, std::memory_order_acq_rel);
            patience.reset();
        }
    }

    alignas(64) std::atomic<uint64_t> open_{0};
    alignas(64) std::atomic<int64_t> left_{0};
    alignas(64) std::atomic<bool> over_{false};
    std::atomic<bool> helped_{false};
    bool alone_ = true;
    const void* piece_ = nullptr;
    void (*run_)(const void*, int64_t) = nullptr;
    uint32_t round_ = 0;
};

}  // namespace elman
