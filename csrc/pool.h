// A few threads that wait for work: PyTorch's OpenMP must not be started a second time.
#pragma once

#include <functional>

namespace elman {

// Runs job(0) … job(jobs - 1), each once, on at most `threads` threads, the caller's among them,
// and comes back when all are done. Denormals count as zero inside a job. A call from a second
// thread does not wait for the pool: it runs its jobs itself. Safe after fork.
void run_jobs(int jobs, int threads, const std::function<void(int)>& job);

}  // namespace elman
