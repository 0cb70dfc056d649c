// A convolution whose taps are weighted at every pixel: weighted pixels are made in cache and multiplied in at once.
#pragma once
#include "tile.h"
#include "unpack.h"
#include "weigh.h"

namespace dynaconv {
namespace DYNACONV_ISA {

static const float* weights_at(const Tapwise& t, long group, long column_block, long tap, long row) {
    const long width = block_width(t.shape.columns, column_block);
    return t.weights + t.shape.block_start(0, group, column_block) + (tap * t.shape.rows + row) * width;
}

struct ForwardItem {
    long group, first_block, next_block, sample;
    const BlockTable* block;
};

static ForwardItem locate_forward(const Tapwise& t, long index) {
    ForwardItem item;
    item.block = t.blocks + index % t.block_count;
    index /= t.block_count;
    item.sample = index % t.samples;
    index /= t.samples;
    item.first_block = index % t.column_parts() * t.columns_at;
    item.next_block = least(item.first_block + t.columns_at, t.shape.column_blocks());
    item.group = index / t.column_parts();
    return item;
}

static void store_forward(const Tapwise& t, const ForwardItem& item, const float* accumulator) {
    for (long b = item.first_block; b < item.next_block; ++b) {
        const long width = block_width(t.shape.columns, b), column = b * kColumnBlock;
        const long count = least(width, t.shape.columns - column);
        float* y = t.destination + item.group * t.shape.columns + column +
                   (item.sample * t.destination_pixels + item.block->first_destination) * t.destination_channels;
        for (long p = 0; p < item.block->destination_count; ++p, y += t.destination_channels, accumulator += width)
            for (long j = 0; j < count; ++j) y[j] = accumulator[j];
    }
}

static void tapwise_forward_item(void* context, long index) {
    const Tapwise& t = *static_cast<const Tapwise*>(context);
    const ForwardItem item = locate_forward(t, index);
    const bool lanes = t.shape.lane_columns > 0;
    const long pixels = item.block->destination_count;
    const long size = t.largest_destination * t.row_chunk * (lanes ? kColumnBlock : 1);
    float* accumulator = scratch(kAccumulator, t.largest_destination * t.columns_at * kColumnBlock);
    float* weighted = scratch(kSource, size);
    const int* places = identity(t.largest_destination);
    clear(accumulator, pixels * t.columns_at * kColumnBlock);
    if (lanes) clear(weighted, size);
    for (long row = 0; row < t.shape.rows; row += t.row_chunk) {
        const long rows = least(t.row_chunk, t.shape.rows - row);
        const Segments segments = source_segments(t, {item.group, row, rows, item.first_block * kColumnBlock,
                                                      block_width(t.shape.columns, item.first_block)});
        for (long tap = 0; tap < t.shape.taps; ++tap) {
            const TapGroup& taps = item.block->groups[tap];
            if (taps.run_count == 0) continue;
            const Run& run = taps.runs[0];
            weigh(t, item.sample, *item.block, run, tap, segments, weighted);
            float* sums = accumulator;
            for (long b = item.first_block; b < item.next_block; ++b) {
                const long width = block_width(t.shape.columns, b);
                multiply({weighted, weights_at(t, item.group, b, tap, row), rows, width, 0, sums, lanes},
                         {kFirstTap, 1, places, run.destination, run.count});
                sums += pixels * width;
            }
        }
    }
    store_forward(t, item, accumulator);
}

// The gradient's rows under one block, in chunks: [chunk][pixel][row], lane by lane [chunk][pixel][row][width].
static void pack_gradient(const Tapwise& t, long sample, const BlockTable& block, const SourcePart& part, float* to) {
    const BankShape& shape = t.shape;
    const long pixels = block.destination_count, channels = t.destination_channels;
    const float* from = t.gradient + (sample * t.destination_pixels + block.first_destination) * channels;
    for (long row = 0; row < shape.rows; row += t.row_chunk) {
        const long rows = least(t.row_chunk, shape.rows - row);
        if (!shape.lane_columns) {
            pack_columns(from + part.group * shape.rows + row, channels, pixels, rows, rows, to);
            to += pixels * rows;
            continue;
        }
        for (long p = 0; p < pixels; ++p)
            for (long r = row; r < row + rows; ++r, to += part.width)
                for (long c = 0; c < part.width; ++c) {
                    const long column = part.column + c;
                    const long channel = column / shape.lane_columns * shape.rows + r;
                    to[c] = column < shape.columns ? from[p * channels + channel] : 0.0f;
                }
    }
}

// The gradient of the weighted pixels under one tap, for one group and column block: flow is [pixel of the run][width].
static void multiply_back(const Tapwise& t, const Run& run, const SourcePart& part, long pixels, long tap,
                          const int* places, const float* gradient, float* flow) {
    const bool lanes = t.shape.lane_columns > 0;
    clear(flow, run.count * part.width);
    for (long row = 0; row < t.shape.rows; row += t.row_chunk) {
        const long rows = least(t.row_chunk, t.shape.rows - row);
        const float* weights = weights_at(t, part.group, part.column / kColumnBlock, tap, row);
        multiply({gradient, weights, rows, part.width, 0, flow, lanes},
                 {kFirstTap, 1, run.destination, places, run.count});
        gradient += pixels * rows * (lanes ? part.width : 1);
    }
}

// One group and column block of source channels: what every tap lets through goes to the source and to the amounts.
static void flow_back(const Tapwise& t, long sample, const BlockTable& block, const SourcePart& part,
                      const float* gradient, float* to) {
    const long columns = least(part.width, t.shape.columns - part.column), shared = t.source_channels / t.amount_groups;
    float* flow = scratch(kAccumulator, t.largest_destination * kColumnBlock);
    const int* places = identity(t.largest_destination);
    Segment all[kColumnBlock];
    long count = 0;
    for (int c = 0; c < columns; ++c) {
        const int channel = static_cast<int>(part.group * t.shape.columns + part.column) + c;
        count = add_place(all, count, c, channel, static_cast<int>(channel / shared));
    }
    for (long tap = 0; tap < t.shape.taps; ++tap) {
        const TapGroup& taps = block.groups[tap];
        if (taps.run_count == 0) continue;
        multiply_back(t, taps.runs[0], part, block.destination_count, tap, places, gradient, flow);
        unweigh(t, sample, block, taps.runs[0], tap, {all, count, part.width}, flow, to);
    }
}

// One item: a band of pixel blocks of one sample; each band has a source gradient of its own.
static void source_gradient_item(void* context, long index) {
    const Tapwise& t = *static_cast<const Tapwise*>(context);
    const long sample = index % t.samples, band = index / t.samples;
    const bool lanes = t.shape.lane_columns > 0;
    float* gradient = scratch(kSource, t.largest_destination * t.shape.rows * (lanes ? kColumnBlock : 1));
    float* to = t.source_gradients + index * t.source_pixels * t.source_channels;
    clear(to, t.source_pixels * t.source_channels);
    for (long b = t.block_count * band / t.bands; b < t.block_count * (band + 1) / t.bands; ++b)
        for (long group = 0; group < t.shape.groups; ++group)
            for (long column = 0; column < t.shape.column_blocks(); ++column) {
                const SourcePart part{group, 0, t.shape.rows, column * kColumnBlock,
                                      block_width(t.shape.columns, column)};
                if (lanes || column == 0) pack_gradient(t, sample, t.blocks[b], part, gradient);
                flow_back(t, sample, t.blocks[b], part, gradient, to);
            }
}

// One item: a column block of one group, a range of rows, every tap, a band of the pixel blocks of all samples.
static void weight_gradient_item(void* context, long index) {
    const Tapwise& t = *static_cast<const Tapwise*>(context);
    const BankShape& shape = t.shape;
    const long band = index % t.bands;
    index /= t.bands;
    const long range = index % t.row_ranges();
    index /= t.row_ranges();
    const long column_block = index % shape.column_blocks(), group = index / shape.column_blocks();
    const long row = range * t.row_chunk, rows = least(t.row_chunk, shape.rows - row);
    const long width = block_width(shape.columns, column_block), column = column_block * kColumnBlock;
    const long columns = least(width, shape.columns - column), size = rows * width;
    const bool lanes = shape.lane_columns > 0;
    const long weighted_row = lanes ? size : rows;
    float* sums = scratch(kKernel, shape.taps * size);
    float* weighted = scratch(kSource, t.largest_destination * weighted_row);
    float* gradient = scratch(kAccumulator, t.largest_destination * width);
    const int* places = identity(t.largest_destination);
    const Segments segments = source_segments(t, {group, row, rows, column, width});
    clear(sums, shape.taps * size);
    if (lanes) clear(weighted, t.largest_destination * weighted_row);
    const long slices = t.samples * t.block_count;
    for (long slice = slices * band / t.bands; slice < slices * (band + 1) / t.bands; ++slice) {
        const long sample = slice / t.block_count;
        const BlockTable& block = t.blocks[slice % t.block_count];
        const long from = (sample * t.destination_pixels + block.first_destination) * t.destination_channels;
        pack_columns(t.gradient + from + group * shape.columns + column, t.destination_channels,
                     block.destination_count, columns, width, gradient);
        for (long tap = 0; tap < shape.taps; ++tap) {
            const TapGroup& taps = block.groups[tap];
            if (taps.run_count == 0) continue;
            const Run& run = taps.runs[0];
            weigh(t, sample, block, run, tap, segments, weighted);
            outer({weighted, gradient, weighted_row, width, places, run.destination, run.count, lanes, true},
                  static_cast<int>(rows), sums + tap * size);
        }
    }
    const long weights = shape.groups * shape.columns * shape.rows * shape.taps;
    store_plain(shape, {group, column, columns, row, rows}, 0, sums, width, t.weight_gradients + band * weights);
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
