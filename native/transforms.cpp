#include "transforms.h"

#include <cmath>
#include <map>
#include <memory>
#include <mutex>

namespace dynaconv {
namespace {

// Points of wide registers that are so far apart lie 4096 bytes apart: measured, transforms of such parts take up to 1.5
// times as long.
constexpr long kBadStep = 32;
constexpr int kRadices[] = {4, 2, 3, 5, 7, 11, 13};

// The transform of n points and all that it points to.
struct Tables {
    std::vector<float> first_roots, second_roots, twiddles;
    Transform transform;

    explicit Tables(long n) {
        long first = 1;
        for (long d = 1; d * d <= n; ++d)
            if (n % d == 0 && d != kBadStep && n / d != kBadStep) first = d;
        const long second = n / first;
        first_roots = roots_of(first, first);
        second_roots = roots_of(second, second);
        const std::vector<float> roots = roots_of(n, n);
        twiddles.resize(2 * n);
        for (long k = 0; k < first; ++k)
            for (long j = 0; j < second; ++j)
                for (long part = 0; part < 2; ++part)
                    twiddles[2 * (k * second + j) + part] = roots[2 * (j * k % n) + part];
        transform = {part_of(first, first_roots), part_of(second, second_roots), twiddles.data()};
    }

    static Transform::Part part_of(long points, const std::vector<float>& roots) {
        Transform::Part part{points, 0, {}, roots.data()};
        for (int radix : kRadices)
            for (; points % radix == 0; points /= radix) part.radices[part.stages++] = radix;
        return part;
    }
};

}  // namespace

std::vector<float> roots_of(long n, long count) {
    std::vector<float> roots(2 * count);
    for (long k = 0; k < count; ++k) {
        const double angle = -2 * M_PI * static_cast<double>(k % n) / static_cast<double>(n);
        roots[2 * k] = static_cast<float>(std::cos(angle));
        roots[2 * k + 1] = static_cast<float>(std::sin(angle));
    }
    return roots;
}

const Transform& transform_of(long n) {
    static std::mutex lock;
    static std::map<long, std::unique_ptr<Tables>> known;
    const std::lock_guard<std::mutex> guard(lock);
    auto& tables = known[n];
    if (!tables) tables = std::make_unique<Tables>(n);
    return tables->transform;
}

bool has_small_radices(long n) {
    for (int radix : kRadices)
        while (n % radix == 0) n /= radix;
    return n == 1;
}

}  // namespace dynaconv
