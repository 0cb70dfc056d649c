// What a convolution with few outputs, which keeps the map's size, works on, in plain data: filled by scores.cpp, run by
// the kernels of each instruction set.
#pragma once
#include "problem.h"

namespace dynaconv {

// Field by field as in src/dynaconv/native/scores.py.
struct ScoreProblem {
    int64_t samples, channels, outputs;
    int64_t height, width;
    int64_t kernel;         // taps of a row and of a column, odd
    int64_t channels_last;  // x and its gradient are [sample][row][column][channel]
    int64_t threads;

    long pixels() const { return height * width; }
    long taps() const { return kernel * kernel; }
    long pitch() const { return width + kernel - 1; }                 // of maps with padding
    long padded() const { return (height + kernel - 1) * pitch() + kernel; }  // with what the last row's taps reach beyond
};

struct ScorePass {
    ScoreProblem problem;
    long sample_groups, parts;  // of the samples, and of the channels; both together are an item
    const float* x;             // [sample][channel][row][column], or channels last
    const float* weights;       // [output][channel][tap]
    const float* gradient;      // [sample][output][row][column]
    float* scores;              // [sample][part][output][row][column]
    float* to_x;                // as x
    float* to_weights;          // [sample group][output][channel][tap]

    long items() const { return sample_groups * parts; }
};

}  // namespace dynaconv
