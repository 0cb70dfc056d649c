// The convolution problem as the caller states it, and the parts that its three passes share.
#pragma once
#include <cstdint>

namespace dynaconv {

// Mirrored field by field in src/dynaconv/native/_library.py; raise kInterfaceVersion when it changes.
struct Problem {
    int64_t samples, experts, groups;
    int64_t in_channels, out_channels;
    int64_t height, width, out_height, out_width;
    int64_t kernel_height, kernel_width;
    int64_t stride_y, stride_x, pad_top, pad_left, dilation_y, dilation_x;
    int64_t threads;
};

constexpr int kInterfaceVersion = 1;

// Columns of a packed bank come in blocks of this many; the last block is padded to a multiple of kColumnUnit.
constexpr long kColumnBlock = 64;
constexpr long kColumnUnit = 16;

static inline long least(long a, long b) { return a < b ? a : b; }
static inline long most(long a, long b) { return a > b ? a : b; }
static inline long ceil_div(long a, long b) { return (a + b - 1) / b; }
static inline long padded_columns(long columns) { return ceil_div(columns, kColumnUnit) * kColumnUnit; }
static inline long block_width(long columns, long block) {
    return least(kColumnBlock, padded_columns(columns) - block * kColumnBlock);
}

// A bank packed for one direction: floats [expert][group][column block][tap][row][column of the block].
// Forward: rows are input channels, columns output channels; the input gradient swaps them.
// Groups of few columns (depthwise) would leave most lanes idle. They are packed lane by lane instead: one group that
// holds the columns of all, of which each `lane_columns` share their own `rows` source channels.
struct BankShape {
    long experts, groups, taps, rows, columns;
    long lane_columns;  // 0: not lane by lane
    long column_blocks() const { return ceil_div(columns, kColumnBlock); }
    long group_size() const { return taps * rows * padded_columns(columns); }
    long block_start(long expert, long group, long block) const {
        return (expert * groups + group) * group_size() + taps * rows * kColumnBlock * block;
    }
};

static inline BankShape bank_shape(const Problem& p, bool transposed) {
    const long in = p.in_channels / p.groups, out = p.out_channels / p.groups;
    const long taps = p.kernel_height * p.kernel_width, rows = transposed ? out : in, columns = transposed ? in : out;
    if (p.groups == 1 || columns > kColumnUnit / 2) return {p.experts, p.groups, taps, rows, columns, 0};
    return {p.experts, 1, taps, rows, columns * p.groups, columns};
}

}  // namespace dynaconv
