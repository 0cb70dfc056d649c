#include "blocking.h"

#include <algorithm>

namespace dynaconv {
namespace {

// Floats that a thread may keep of one kind while others stay in a 1 MB second-level cache.
constexpr long kResident = 64 * 1024;

// Up to so many pixels, skipping the taps that fall on padding and sharing a bank's rows among samples pays.
constexpr long kSmallMap = 400;

// Enough items for some threads, without knowing how many there are.
constexpr long kItems = 8;

// So often may a pass lay out each part of a bank while it reads it.
constexpr long kRarely = 2;

// Rows of a column block, at most so many, of which the weights of all experts and taps take so many floats.
long rows_of_experts(const BankShape& shape, long floats, long rows) {
    return std::clamp(floats / (shape.experts * shape.taps * kColumnBlock), 16L, rows);
}

// `total` in equal parts of at most `most`.
long even(long total, long most) { return ceil_div(total, ceil_div(total, std::max(1L, most))); }

// Few pixels: kernels of four samples at a time, tap by tap, so that padding costs nothing and the bank's rows are
// read once for many samples.
Blocking small_map(const Problem& p, const BankShape& shape, long pixels, long sources) {
    Blocking b{};
    b.block_pixels = pixels;
    b.run_pixels = 64;
    b.taps_together = 1;
    b.sample_group = 4;
    // The same whether the bank comes packed or not, and so are the sums.
    b.row_chunk = even(shape.rows, rows_of_experts(shape, 5 * kResident, 128));
    const long fit = std::min(2 * kResident / (pixels * kColumnBlock), 4 * kResident / (sources * b.row_chunk));
    b.sample_block = std::clamp(fit, b.sample_group, 64L);
    // Enough items for every thread comes before reading the bank once.
    const long others = shape.groups * shape.column_blocks(), wanted = 2 * p.threads;
    const long split = std::max(1L, p.samples * others / wanted);
    b.sample_block = std::min(b.sample_block, std::max(b.sample_group, split));
    return b;
}

// Many pixels: one sample's whole kernel, or as many rows of it as stay in cache, for a block of pixels.
Blocking large_map(const Problem& p, const BankShape& shape, long pixels) {
    Blocking b{};
    b.taps_together = shape.taps;
    b.sample_group = b.sample_block = 1;
    // Blocks are independent of the threads, because sums over a map are made of one part per block.
    const long items = shape.groups * shape.column_blocks() * p.samples;
    b.block_pixels = std::clamp(pixels * items / kItems, 128L, 1024L);
    b.row_chunk = even(shape.rows, 2 * kResident / (shape.taps * kColumnBlock));
    return b;
}

}  // namespace

namespace {

bool is_small(const Problem& p, Direction direction) {
    const bool forward = direction == Direction::kForward;
    return (forward ? p.out_pixels() : p.in_pixels()) <= kSmallMap && !bank_shape(p, !forward).lane_columns;
}

}  // namespace

bool reads_plain(const Problem& p, Direction direction) {
    return is_small(p, direction) && ceil_div(p.samples, choose_blocking(p, direction).sample_block) <= kRarely;
}

Blocking choose_blocking(const Problem& p, Direction direction) {
    const bool forward = direction == Direction::kForward;
    const BankShape shape = bank_shape(p, !forward);
    const long pixels = forward ? p.out_pixels() : p.in_pixels();
    const long sources = forward ? p.in_pixels() : p.out_pixels();
    Blocking b = is_small(p, direction) ? small_map(p, shape, pixels, sources) : large_map(p, shape, pixels);
    if (shape.lane_columns) b.row_chunk = shape.rows;
    b.sample_block = std::min(b.sample_block, static_cast<long>(p.samples));
    return b;
}

Blocking gradient_blocking(const Problem& p) {
    const BankShape shape = bank_shape(p, false);
    const long pixels = p.out_pixels(), sources = p.in_pixels();
    Blocking b{};
    b.block_pixels = 1024;
    // The experts' gradients of an item stay in cache until all samples are in.
    b.row_chunk = even(shape.rows, rows_of_experts(shape, 2 * kResident, 64));
    const long block = std::min(pixels, b.block_pixels), source = sources * block / pixels;
    const long lanes = shape.lane_columns ? kColumnBlock : 1;
    b.sample_block = std::clamp(kResident / std::max(block * kColumnBlock, source * b.row_chunk * lanes), 1L, 64L);
    if (b.sample_block > 4) b.sample_block -= b.sample_block % 4;
    return b;
}

Blocking dense_blocking(const Problem& p, Direction direction) {
    const bool forward = direction == Direction::kForward;
    const BankShape shape = bank_shape(p, !forward);
    const long pixels = forward ? p.out_pixels() : p.in_pixels();
    Blocking b = large_map(p, shape, pixels);
    // Every weight is read once for a block; a quarter of the second-level cache holds what was read.
    b.row_chunk = shape.lane_columns ? shape.rows : even(shape.rows, std::max(8L, kResident / (shape.taps * kColumnBlock)));
    // Tap by tap on small maps, so that padding costs nothing.
    if (pixels <= kSmallMap && !shape.lane_columns) b.run_pixels = 64;
    return b;
}

Blocking cell_blocking(const Problem& p, Direction direction, long cell_rows) {
    Blocking b = dense_blocking(p, direction);
    // As many rows as fit beside the maps: the convolution gains more by them than the cells by staying in cache, which
    // are read once for some samples. Cells have all rows or a multiple of 64.
    const long fit = kResident / (p.taps() * kColumnBlock);
    b.row_chunk = least(cell_rows, fit >= 64 ? 64 : fit >= 32 ? 32 : fit >= 16 ? 16 : 8);
    const long pixels = direction == Direction::kForward ? p.out_pixels() : p.in_pixels();
    b.sample_block = std::clamp(4 * kResident / (least(pixels, b.block_pixels) * kColumnBlock), 1L, 8L);
    b.sample_block = std::min(b.sample_block, static_cast<long>(p.samples));
    // Three whole register tiles of 3 x 3 taps.
    b.sample_group = std::clamp(18 / p.taps(), 1L, 4L);
    return b;
}

TapwiseBlocking tapwise_blocking(const Problem& p, TapwisePass pass) {
    const BankShape shape = bank_shape(p, pass == TapwisePass::kSourceGradient);
    TapwiseBlocking b{};
    b.block_pixels = 96;
    b.columns_at = b.bands = 1;
    const long blocks = ceil_div(p.out_pixels(), b.block_pixels);
    if (pass == TapwisePass::kWeightGradient) {
        b.row_chunk = even(shape.rows, std::clamp(2 * kResident / (shape.taps * kColumnBlock), 16L, 64L));
        if (shape.lane_columns) b.row_chunk = even(shape.rows, 4);
        const long items = shape.groups * shape.column_blocks() * ceil_div(shape.rows, b.row_chunk);
        b.bands = std::clamp(ceil_div(kItems, items), 1L, static_cast<long>(p.samples) * blocks);
        return b;
    }
    b.row_chunk = even(shape.rows, shape.lane_columns ? 4 : 128);
    if (pass == TapwisePass::kSourceGradient) {
        b.bands = std::clamp(ceil_div(kItems, p.samples), 1L, blocks);
    } else if (!shape.lane_columns) {
        const long parts = ceil_div(kItems, shape.groups * p.samples * blocks);
        b.columns_at = ceil_div(shape.column_blocks(), std::min(parts, shape.column_blocks()));
    }
    return b;
}

}  // namespace dynaconv
