// PyTorch's products leave OpenMP's threads spinning for milliseconds, in case more work comes. A
// second set of threads would have to share the cores with them, so jobs run in those threads
// themselves, by the entry point that compilers call for `#pragma omp parallel`. Without GNU's
// OpenMP in the process, and after a fork, which that does not survive, there is a pool of our own.
#include "pool.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#if defined(__linux__)
#include <dlfcn.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace elman {
namespace {

// Denormals are treated as zero while this lives: each costs a hundred cycles, and no digit counts.
class FlushToZero {
  public:
#if defined(__x86_64__)
    FlushToZero() : before_(_mm_getcsr()) { _mm_setcsr((unsigned)before_ | 0x8040u); }
    ~FlushToZero() { _mm_setcsr((unsigned)before_); }
#elif defined(__aarch64__)
    FlushToZero() {
        asm volatile("mrs %0, fpcr" : "=r"(before_));
        asm volatile("msr fpcr, %0" : : "r"(before_ | (1ull << 24)));
    }
    ~FlushToZero() { asm volatile("msr fpcr, %0" : : "r"(before_)); }
#endif
  private:
    uint64_t before_ = 0;
};

// Jobs that any number of threads take from, each once: whoever made them from the front, the others
// from the back, so that with two threads most rows stay in the same core's cache from call to call.
class Jobs {
  public:
    Jobs(int count, const std::function<void(int)>& job)
        : job_(job), caller_(pthread_self()), open_((uint64_t)count) {}

    void work() {
        const FlushToZero flush;
        const bool front = pthread_equal(caller_, pthread_self());
        for (int k; (k = take(front)) >= 0;) job_(k);
    }

  private:
    int take(bool front) {
        uint64_t open = open_.load(std::memory_order_relaxed);
        for (;;) {
            const uint32_t first = (uint32_t)(open >> 32), end = (uint32_t)open;
            if (first == end) return -1;
            const uint64_t left = open + (front ? 1ull << 32 : (uint64_t)-1);
            if (open_.compare_exchange_weak(open, left, std::memory_order_relaxed))
                return (int)(front ? first : end - 1);
        }
    }

    const std::function<void(int)>& job_;
    const pthread_t caller_;
    std::atomic<uint64_t> open_;  // jobs that nobody has taken yet: the first, and where they end
};

// Threads of our own. They are made when first asked for and sleep between batches of jobs.
class Pool {
  public:
    // False if the pool is at work for another thread.
    bool run(Jobs& jobs, int threads) {
        std::unique_lock<std::mutex> whole(use_, std::try_to_lock);
        if (!whole.owns_lock()) return false;
        try {
            while (count_ < threads - 1) start();
        } catch (const std::system_error&) {  // no more threads to be had: fewer do it too
        }
        {
            std::lock_guard<std::mutex> lock(state_);
            jobs_ = &jobs;
            places_ = threads - 1 < count_ ? threads - 1 : count_;
            working_ = 0;
        }
        wake_.notify_all();
        jobs.work();
        std::unique_lock<std::mutex> lock(state_);
        places_ = 0;  // who has not woken up by now is not needed
        done_.wait(lock, [this] { return working_ == 0; });
        return true;
    }

  private:
    void start() {
        std::thread([this] { wait_for_work(); }).detach();
        ++count_;
    }

    void wait_for_work() {
        std::unique_lock<std::mutex> lock(state_);
        for (;;) {
            wake_.wait(lock, [this] { return places_ > 0; });
            --places_;
            ++working_;
            Jobs* jobs = jobs_;
            lock.unlock();
            jobs->work();
            lock.lock();
            if (--working_ == 0) done_.notify_one();
        }
    }

    std::mutex use_, state_;
    std::condition_variable wake_, done_;
    Jobs* jobs_ = nullptr;
    int places_ = 0, working_ = 0, count_ = 0;
};

// Never destroyed: its threads wait in it until the process ends. A child has none of the threads
// of its parent, and perhaps locked mutexes; it begins with a pool of its own.
Pool* pool = nullptr;
std::mutex making;

std::atomic<bool> forked{false};

void forget_threads() {
    pool = nullptr;
    forked = true;
    new (&making) std::mutex;
}

Pool& the_pool() {
    std::lock_guard<std::mutex> lock(making);
    if (!pool) pool = new Pool;
    return *pool;
}

// GOMP_parallel(work, data, threads, flags): the caller and threads - 1 others each call work(data).
using Parallel = void (*)(void (*)(void*), void*, unsigned, unsigned);

Parallel openmp() {
#if defined(__linux__)
    static const Parallel found = [] {
        void* loaded = dlopen("libgomp.so.1", RTLD_NOW | RTLD_NOLOAD);  // never a second one
        return loaded ? (Parallel)dlsym(loaded, "GOMP_parallel") : nullptr;
    }();
    return forked ? nullptr : found;
#else
    return nullptr;
#endif
}

}  // namespace

void watch_for_forks() { pthread_atfork(nullptr, nullptr, forget_threads); }

void run_jobs(int count, int threads, const std::function<void(int)>& job) {
    Jobs jobs(count, job);
    if (threads > 1 && count > 1) {
        // All threads, even if there are fewer jobs: OpenMP ends those that a smaller team leaves.
        if (const Parallel parallel = openmp()) {
            parallel([](void* all) { ((Jobs*)all)->work(); }, &jobs, (unsigned)threads, 0);
            return;
        }
        if (the_pool().run(jobs, threads < count ? threads : count)) return;
    }
    jobs.work();
}

}  // namespace elman
