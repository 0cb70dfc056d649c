// The convolution problem as the caller states it, and the parts that its three passes share.
#pragma once
#include <cstdint>

namespace dynaconv {

// Mirrored field by field in src/dynaconv/native/library.py; raise kInterfaceVersion when it changes. Sizes are depth,
// height and width: 1, and a padding of 0, where a map has fewer dimensions.
struct Problem {
    int64_t samples, experts, groups;
    int64_t tap_groups;  // of input channels that share the weights of their taps, where those differ between pixels
    int64_t in_channels, out_channels;
    int64_t in_size[3], out_size[3];
    int64_t kernel[3], stride[3], pad[3], dilation[3];  // pad: before the first pixel
    int64_t half;        // maps are bfloat16, not float
    int64_t plain_bank;  // the bank comes in PyTorch's layout, not packed
    int64_t threads;
    long in_pixels() const { return in_size[0] * in_size[1] * in_size[2]; }
    long out_pixels() const { return out_size[0] * out_size[1] * out_size[2]; }
    long taps() const { return kernel[0] * kernel[1] * kernel[2]; }
};

constexpr int kInterfaceVersion = 6;

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
    const long taps = p.taps(), rows = transposed ? out : in, columns = transposed ? in : out;
    if (p.groups == 1 || columns > kColumnUnit / 2) return {p.experts, p.groups, taps, rows, columns, 0};
    return {p.experts, 1, taps, rows, columns * p.groups, columns};
}

}  // namespace dynaconv
