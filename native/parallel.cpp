#include "parallel.h"

#include <atomic>
#include <cstdlib>
#include <cstdint>
#include <dlfcn.h>
#include <new>
#include <sys/mman.h>
#include <thread>
#include <vector>

namespace dynaconv {
namespace {

struct Job {
    std::atomic<long> next{0};
    long count;
    Body body;
    void* context;

    static void work(void* job) {
        auto& j = *static_cast<Job*>(job);
        for (long i; (i = j.next.fetch_add(1, std::memory_order_relaxed)) < j.count;) j.body(j.context, i);
    }
};

using GompParallel = void (*)(void (*)(void*), void*, unsigned, unsigned);

GompParallel shared_pool() {
    static const auto pool = reinterpret_cast<GompParallel>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
    return pool;
}

class Buffer {
  public:
    ~Buffer() { std::free(data_); }
    float* need(long floats) {
        if (floats > size_) {
            std::free(data_);
            const auto bytes = (static_cast<size_t>(floats) * sizeof(float) + 63) / 64 * 64;
            data_ = static_cast<float*>(std::aligned_alloc(64, bytes));
            size_ = data_ ? floats : 0;
            if (!data_) throw std::bad_alloc();
        }
        return data_;
    }

  private:
    float* data_ = nullptr;
    long size_ = 0;
};

}  // namespace

void parallel_for(long threads, long count, Body body, void* context) {
    if (threads > count) threads = count;
    Job job{{}, count, body, context};
    if (threads <= 1) {
        Job::work(&job);
    } else if (const auto pool = shared_pool()) {
        pool(&Job::work, &job, static_cast<unsigned>(threads), 0);
    } else {
        std::vector<std::thread> others;
        for (long t = 1; t < threads; ++t) others.emplace_back(&Job::work, &job);
        Job::work(&job);
        for (auto& other : others) other.join();
    }
}

float* scratch(Scratch which, long floats) {
    static thread_local Buffer buffers[kScratchCount];
    return buffers[which].need(floats);
}

void expect_writes(void* data, long bytes) {
#ifdef MADV_HUGEPAGE
    constexpr uintptr_t kLarge = 2u << 20;
    const uintptr_t first = (reinterpret_cast<uintptr_t>(data) + kLarge - 1) / kLarge * kLarge;
    const uintptr_t last = (reinterpret_cast<uintptr_t>(data) + bytes) / kLarge * kLarge;
    if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#else
    (void)data, (void)bytes;
#endif
}

}  // namespace dynaconv
