// A program that checks the C interface against plain loops, without Python: for sanitizers and for emulated processors.
// Every buffer stands between canaries; results must not depend on the number of threads.
#include <cstdio>

#include "numbers.h"

extern "C" {
int dynaconv_force_isa(const char* name);
}

namespace {

using dynaconv::Problem;
using selfcheck::CellProblem;

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

// As above, and the channels of a cell.
const CellProblem kCellProblems[] = {
    {{5, 4, 1, 1, 20, 33, {1, 6, 5}, {1, 6, 5}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}, 0, 0, 1}, 33, 20},
    {{1, 3, 1, 1, 70, 80, {1, 3, 4}, {1, 3, 4}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}, 0, 0, 1}, 80, 70},
    {{2, 5, 1, 1, 192, 128, {1, 5, 4}, {1, 3, 2}, {1, 1, 3}, {1, 2, 2}, {0, 0, 1}, {1, 1, 1}, 0, 0, 1}, 64, 64},
    {{9, 3, 1, 1, 17, 256, {1, 2, 2}, {1, 2, 2}, {1, 3, 2}, {1, 1, 1}, {0, 1, 0}, {1, 1, 2}, 0, 0, 1}, 128, 17},
    {{3, 20, 1, 1, 128, 33, {1, 3, 4}, {1, 3, 4}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}, 0, 0, 1}, 33, 64},
    {{2, 70, 1, 1, 19, 20, {1, 4, 5}, {1, 4, 5}, {1, 3, 2}, {1, 1, 1}, {0, 2, 1}, {1, 2, 2}, 0, 0, 1}, 20, 19},
    {{2, 4, 1, 1, 6, 9, {1, 45, 31}, {1, 23, 16}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}, {1, 1, 1}, 0, 0, 1}, 9, 6},
    {{2, 3, 1, 1, 5, 6, {1, 3, 2}, {1, 3, 2}, {1, 5, 5}, {1, 1, 1}, {0, 2, 2}, {1, 1, 1}, 0, 0, 1}, 6, 5},
    {{1, 2, 1, 1, 3, 2, {4, 5, 5}, {4, 5, 5}, {5, 5, 5}, {1, 1, 1}, {2, 2, 2}, {1, 1, 1}, 0, 0, 1}, 2, 3},
};

// spectra gates | outputs inputs | kernel | ranks | threads
const dynaconv::SpectrumProblem kSpectra[] = {
    {1, 5, 6, 4, 3, 3, 1, 5, 1},  {2, 3, 7, 10, 1, 1, 2, 3, 1}, {1, 64, 13, 8, 3, 1, 0, 2, 1},
    {1, 1, 11, 6, 1, 3, 1, 0, 1}, {2, 4, 5, 26, 3, 3, 0, 0, 1}, {1, 9, 36, 14, 1, 1, 1, 1, 1},
    {1, 9, 70, 6, 1, 1, 1, 2, 1}, {1, 3, 6, 66, 1, 1, 1, 1, 1},
};

// samples channels groups | map | edges | channels last, threads
const dynaconv::BandProblem kBands[] = {
    {2, 37, 1, 9, 7, 3, {2, 3, 5}, 0, 1},    {1, 20, 2, 16, 14, 3, {2, 4, 8}, 0, 1}, {3, 16, 1, 4, 4, 3, {2, 4, 8}, 0, 1},
    {1, 150, 1, 5, 13, 2, {2, 3}, 0, 1},     {2, 36, 3, 7, 6, 1, {2}, 1, 1},         {2, 3, 3, 1, 2, 1, {2}, 0, 1},
};

// samples channels outputs | map | kernel, channels last, threads
const dynaconv::ScoreProblem kScores[] = {
    {3, 37, 3, 9, 7, 3, 0, 1},  {20, 19, 4, 3, 5, 3, 1, 1}, {1, 70, 2, 4, 4, 1, 0, 1},
    {2, 6, 1, 12, 20, 5, 0, 1}, {1, 16, 7, 1, 2, 7, 0, 1},
};

// One of the operations that know no groups of outputs.
template <class P, size_t N>
bool run_maps(const char* isa, const char* operation, bool (*check)(const P&), const P (&problems)[N]) {
    bool good = true;
    for (const P& p : problems) {
        if (check(p)) continue;
        good = false;
        std::printf("%s, %s: problem %ld is wrong\n", isa, operation, long(&p - problems));
    }
    return good;
}

template <class P, size_t N>
bool run(const char* isa, const char* operation, bool (*check)(P), const P (&problems)[N], bool half) {
    bool good = true;
    for (P p : problems) {
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
        bool all = run(isa, "mixture", selfcheck::check_mixture, kProblems, false);
        all = run(isa, "mixture in bfloat16", selfcheck::check_mixture, kProblems, true) && all;
        all = run(isa, "dense", selfcheck::check_dense, kProblems, false) && all;
        all = run(isa, "tapwise", selfcheck::check_tapwise, kProblems, false) && all;
        all = run(isa, "cells", selfcheck::check_cells, kCellProblems, false) && all;
        all = run(isa, "field", selfcheck::check_field, kProblems, false) && all;
        all = run_maps(isa, "spectrum", selfcheck::check_spectrum, kSpectra) && all;
        all = run_maps(isa, "bands", selfcheck::check_bands, kBands) && all;
        all = run_maps(isa, "scores", selfcheck::check_scores, kScores) && all;
        std::printf("%s: %s\n", isa, all ? "equal" : "WRONG");
        good = good && all;
    }
    return good ? 0 : 1;
}
