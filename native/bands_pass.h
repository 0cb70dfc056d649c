// What a pass over the frequency bands of images works on, in plain data: filled by bands.cpp, run by the kernels of each
// instruction set.
#pragma once
#include "problem.h"

namespace dynaconv {

constexpr long kMostEdges = 8;

// Field by field as in src/dynaconv/native/bands.py.
struct BandProblem {
    int64_t samples, channels, groups;  // of channels that share their weights
    int64_t height, width;
    int64_t edges, edge[kMostEdges];  // how many; rising
    int64_t channels_last;            // images are [sample][row][column][channel]
    int64_t threads;

    long pixels() const { return height * width; }
    long group_channels() const { return channels / groups; }
};

// The waves below the first edge on a line of pixels: the constant, then cosine and sine of every frequency.
struct Waves {
    long size, count;
    long below[kMostEdges];  // of `count`, the first so many lie below an edge
    const float* by_pixel;   // [pixel][wave]
    const float* by_wave;    // [wave][pixel]
};

struct BandPass {
    BandProblem problem;
    Waves down, across;
    long parts;             // of a group's channels; each is an item
    const float* x;         // [sample][channel][row][column], or channels last
    const float* weights;   // [sample][group][edge and one more][row][column]
    const float* gradient;  // as x
    float* result;          // as x: the output, or the gradient of x
    float* amounts;         // [sample][group][part][edge and one more][row][column]: gradients beside x and its low parts

    long items() const { return problem.samples * problem.groups * parts; }
    long maps() const { return problem.edges + 1; }
};

}  // namespace dynaconv
