#include "select.h"

#include <atomic>
#include <cstring>

namespace dynaconv {

#if defined(__x86_64__)
namespace avx512 { extern const Kernels kernels; }
namespace avx2 { extern const Kernels kernels; }
#endif
#if defined(__aarch64__)
namespace neon { extern const Kernels kernels; }
#else
namespace portable { extern const Kernels kernels; }
#endif

namespace {

struct Choice {
    const Kernels* kernels;
    bool runs;
};

// Best first.
const Choice* choices(int& count) {
#if defined(__x86_64__)
    static const Choice all[] = {
        {&avx512::kernels, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                               __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
        {&avx2::kernels, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
        {&portable::kernels, true},
    };
#elif defined(__aarch64__)
    static const Choice all[] = {{&neon::kernels, true}};
#else
    static const Choice all[] = {{&portable::kernels, true}};
#endif
    count = static_cast<int>(sizeof all / sizeof *all);
    return all;
}

const Kernels* best() {
    int count;
    const Choice* all = choices(count);
    while (!all->runs) ++all;  // the last always runs
    return all->kernels;
}

std::atomic<const Kernels*> forced{nullptr};

}  // namespace

const Kernels& kernels() {
    static const Kernels* const automatic = best();
    const Kernels* chosen = forced.load(std::memory_order_relaxed);
    return chosen ? *chosen : *automatic;
}

bool force_kernels(const char* name) {
    if (!name) {
        forced.store(nullptr);
        return true;
    }
    int count;
    const Choice* all = choices(count);
    for (int i = 0; i < count; ++i)
        if (all[i].runs && std::strcmp(all[i].kernels->name, name) == 0) {
            forced.store(all[i].kernels);
            return true;
        }
    return false;
}

}  // namespace dynaconv
