// How a pass is cut up, from the shapes alone: what fits in the cache levels, and enough items for every thread.
#pragma once
#include "plan.h"

namespace dynaconv {

struct Blocking {
    long block_pixels;   // destination pixels of a block
    long taps_together;  // taps assembled and multiplied at a time
    long row_chunk;      // rows assembled at a time; for the bank gradient, rows of an item
    long sample_block;   // samples of an item; for the bank gradient, slices packed at a time
    long sample_group;   // samples assembled together
    long run_pixels;     // destination pixels of a run, 0: all, every tap in one run
};

// Whether a pass reads a part of the bank so rarely that laying it out ahead would cost more than it saves.
bool reads_plain(const Problem& problem, Direction direction);

Blocking choose_blocking(const Problem& problem, Direction direction);
Blocking gradient_blocking(const Problem& problem);

// Of a convolution with kernels that the samples bring along.
Blocking dense_blocking(const Problem& problem, Direction direction);

// Of a convolution whose taps are weighted per pixel; see Tapwise.
struct TapwiseBlocking {
    long block_pixels, row_chunk, columns_at, bands;
};

enum class TapwisePass { kForward, kSourceGradient, kWeightGradient };

TapwiseBlocking tapwise_blocking(const Problem& problem, TapwisePass pass);

}  // namespace dynaconv
