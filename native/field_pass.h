// What one pass over a receptive field works on, in plain data: filled by field.cpp, run by the kernels of each instruction
// set. A field holds for every channel c, tap t and position the feature max(0, kernel_{c,t} . window + shift).
#pragma once
#include "problem.h"

namespace dynaconv {

// A tensor (samples, channels, kernel rows, kernel columns, rows, columns) that may be one long in any dimension, which all
// share then. Mirrored in src/dynaconv/native/field.py.
struct Factor {
    const float* data;
    float* gradient;     // or null: not wanted
    int64_t strides[6];  // of both; 0 where the dimension is one long; the last is 0 or 1
    int64_t group_step;  // from one channel group's gradient to the next one's; 0 where all have the same
};

// What is made of features, and of what their gradient is made.
enum FieldRule {
    kProduct,     // features x left x right
    kSoftmax,     // features x softmax of left x right over the taps
    kLines,       // sums along the dimensions that left and right lack; gradient: left + right
    kGreatest,    // gradient: left where the feature is `mark`, plus right
    kStatistics,  // sums of squares, without max(0, .); gradient: the features themselves
};

struct FieldPass {
    Problem p;  // x and its gradient are padded already; groups: of channels, each an item
    FieldRule rule;
    const float* x;        // [sample][channel][row][column]
    const float* kernels;  // [channel][tap][taps + 1]: the last is the shift
    Factor left, right, mark;  // see FieldRule
    const float* flow;     // [channel][tap][sample][position]: the gradient of weighted features
    const float* back;     // [channel][window tap][tap]: the kernels that gradients go back through
    float* to_x;           // as x, added to
    float* to_kernels;     // as kernels, added to
    float* result;         // weighted features, as flow; or sums [channel][tap]; or pooled channels, see below
    bool ties;             // beside the greatest of all channels: how many there are, not the mean

    long channels() const { return p.in_channels; }
    long taps() const { return p.taps(); }
    long map_size() const { return p.in_size[1] * p.in_size[2]; }
    long columns() const { return p.samples * p.out_pixels(); }
    // Columns that are worked on at once: some tiles stay in the first-level cache together.
    long tile_columns() const {
        constexpr long kTileNumbers = 1152;
        return most(kColumnUnit, kTileNumbers / taps() / kColumnUnit * kColumnUnit);
    }
    long tiles() const { return ceil_div(columns(), tile_columns()); }
    // Tiles of a channel that follow one another before the next channel's: reading goes on for a while where it is.
    static constexpr long kTilesTogether = 8;
    long runs() const { return ceil_div(tiles(), kTilesTogether); }
    long first_channel(long group) const { return channels() * group / p.groups; }
};

}  // namespace dynaconv
