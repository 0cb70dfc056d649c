// A program that checks the C interface against plain loops, without Python: for sanitizers and for emulated processors.
// Every buffer stands between canaries; results must not depend on the number of threads.
#include <cstdio>

#include "numbers.h"

extern "C" {
int dynaconv_force_isa(const char* name);
}

namespace {

using dynaconv::Problem;
using Check = bool (*)(Problem);

// samples experts groups, tap groups | channels | map | output map | kernel | stride | padding | dilation | half, plain bank, threads
const Problem kProblems[] = {
    {5, 4, 1, 2, 20, 33, {1, 6, 5}, {1, 6, 5}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}, 0, 0, 1},
    {3, 5, 1, 17, 17, 3, {1, 9, 7}, {1, 5, 4}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}, {1, 1, 1}, 0, 0, 1},
    {2, 1, 1, 1, 8, 70, {1, 4, 4}, {1, 4, 4}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}, 0, 0, 1},
    {2, 4, 19, 1, 19, 19, {1, 7, 7}, {1, 7, 7}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}, 0, 0, 1},
    {2, 3, 4, 6, 12, 24, {1, 7, 6}, {1, 7, 6}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}, 0, 0, 1},
    {1, 2, 1, 3, 6, 5, {1, 23, 25}, {1, 23, 25}, {1, 3, 3}, {1, 1, 1}, {0, 2, 2}, {1, 2, 2}, 0, 0, 1},
    {1, 9, 1, 1, 5, 18, {1, 21, 40}, {1, 11, 20}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}, {1, 1, 1}, 0, 0, 1},
    {2, 3, 2, 2, 6, 26, {4, 5, 3}, {4, 3, 4}, {2, 3, 2}, {1, 2, 1}, {1, 1, 1}, {2, 1, 1}, 0, 0, 1},
    {4, 2, 1, 1, 7, 9, {1, 1, 30}, {1, 1, 15}, {1, 1, 4}, {1, 1, 2}, {0, 0, 1}, {1, 1, 1}, 0, 0, 1},
};

bool run(const char* isa, const char* operation, Check check, bool half) {
    bool good = true;
    for (Problem p : kProblems) {
        p.half = half;
        if (check(p)) continue;
        good = false;
        std::printf("%s, %s is wrong at %ldx%ld channels, groups %ld\n", isa, operation, long(p.in_channels),
                    long(p.out_channels), long(p.groups));
    }
    return good;
}

}  // namespace

int main() {
    bool good = true;
    for (const char* isa : {"avx512", "avx2", "portable", "neon"}) {
        if (!dynaconv_force_isa(isa)) continue;
        bool all = run(isa, "mixture", selfcheck::check_mixture, false);
        all = run(isa, "mixture in bfloat16", selfcheck::check_mixture, true) && all;
        all = run(isa, "dense", selfcheck::check_dense, false) && all;
        all = run(isa, "tapwise", selfcheck::check_tapwise, false) && all;
        all = run(isa, "field", selfcheck::check_field, false) && all;
        std::printf("%s: %s\n", isa, all ? "equal" : "WRONG");
        good = good && all;
    }
    return good ? 0 : 1;
}
