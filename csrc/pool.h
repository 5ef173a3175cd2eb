// Threads for jobs: PyTorch's own where they can be had, else a few of ours that sleep between calls.
#pragma once

#include <functional>

namespace elman {

// Runs job(0) … job(jobs - 1), each once, on at most `threads` threads, the caller's among them,
// and comes back when all are done. Jobs may run one after the other: none may wait for one
// that has not begun.
// Denormals count as zero inside a job. A job throws nothing.
void run_jobs(int jobs, int threads, const std::function<void(int)>& job);

// Makes run_jobs safe in children forked from here on. To be called once.
void watch_for_forks();

}  // namespace elman
