#include "pool.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <new>
#include <thread>

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

// One batch of jobs at a time. Threads are made when first asked for and sleep between batches.
class Pool {
  public:
    // False if the pool is at work for another thread.
    bool run(int jobs, int threads, const std::function<void(int)>& job) {
        std::unique_lock<std::mutex> whole(use_, std::try_to_lock);
        if (!whole.owns_lock()) return false;
        {
            std::lock_guard<std::mutex> lock(state_);
            job_ = &job;
            jobs_ = jobs;
            next_ = 0;
            places_ = threads - 1;
            working_ = 0;
            while (count_ < threads - 1) start();
        }
        wake_.notify_all();
        work(job, jobs);
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
            const auto* job = job_;
            const int jobs = jobs_;
            lock.unlock();
            work(*job, jobs);
            lock.lock();
            if (--working_ == 0) done_.notify_one();
        }
    }

    void work(const std::function<void(int)>& job, int jobs) {
        const FlushToZero flush;
        for (int k; (k = next_.fetch_add(1, std::memory_order_relaxed)) < jobs;) job(k);
    }

    std::mutex use_, state_;
    std::condition_variable wake_, done_;
    const std::function<void(int)>* job_ = nullptr;
    std::atomic<int> next_{0};
    int jobs_ = 0, places_ = 0, working_ = 0, count_ = 0;
};

// Never destroyed: its threads wait in it until the process ends. A child has none of the threads
// of its parent, and perhaps locked mutexes; it begins with a pool of its own.
Pool* pool = nullptr;
std::mutex making;

void forget_pool() {
    pool = nullptr;
    new (&making) std::mutex;
}

Pool& the_pool() {
    std::lock_guard<std::mutex> lock(making);
    static const int registered = pthread_atfork(nullptr, nullptr, forget_pool);
    (void)registered;
    if (!pool) pool = new Pool;
    return *pool;
}

}  // namespace

void run_jobs(int jobs, int threads, const std::function<void(int)>& job) {
    if (threads > 1 && jobs > 1 && the_pool().run(jobs, threads < jobs ? threads : jobs, job))
        return;
    const FlushToZero flush;
    for (int k = 0; k < jobs; ++k) job(k);
}

}  // namespace elman
