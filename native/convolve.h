// Forward and input gradient: kernels are assembled in cache, multiplied in at once, and overwritten by the next.
#pragma once
#include "assemble.h"
#include "cells.h"
#include "plain.h"
#include "source.h"
#include "tile.h"

namespace dynaconv {
namespace DYNACONV_ISA {

struct ConvolveItem {
    long group, column_block, block, first_sample, samples, width;
};

static ConvolveItem locate(const Convolution& c, long index) {
    const long sample_blocks = ceil_div(c.samples, c.sample_block);
    ConvolveItem item;
    const long sample_block = index % sample_blocks;
    item.first_sample = c.samples * sample_block / sample_blocks;
    item.samples = c.samples * (sample_block + 1) / sample_blocks - item.first_sample;
    index /= sample_blocks;
    item.block = index % c.block_count;
    index /= c.block_count;
    item.column_block = index % c.bank_shape.column_blocks();
    item.group = index / c.bank_shape.column_blocks();
    item.width = block_width(c.bank_shape.columns, item.column_block);
    return item;
}

// A sample's own kernel: out is [tap][rows][width], of all taps.
static void read_kernel(const Convolution& c, const ConvolveItem& item, long row, long rows, long sample, float* out) {
    const BankShape& shape = c.bank_shape;
    const long size = shape.rows * shape.columns * shape.taps;
    read_plain(shape, c.transposed, c.kernels + (sample * shape.groups + item.group) * size,
               {row, rows, item.column_block * kColumnBlock, item.width}, rows, out);
}

// Where an expert's rows for one tap start: `experts` is what read_experts gave for these rows, or null.
static const float* expert_rows(const Convolution& c, const ConvolveItem& item, const float* experts, long row, long rows,
                                long expert, long tap) {
    const BankShape& shape = c.bank_shape;
    if (experts) return experts + (expert * shape.taps + tap) * rows * item.width;
    return c.bank + shape.block_start(expert, item.group, item.column_block) + (tap * shape.rows + row) * item.width;
}

// Kernels of `samples` samples for the taps of a group: out is [sample][tap][rows][width].
static void assemble(const Convolution& c, const ConvolveItem& item, const float* all_experts, const TapGroup& taps,
                     long row, long rows, long sample, int samples, float* out) {
    const BankShape& shape = c.bank_shape;
    const long tap_size = rows * item.width;
    for (int t = 0; t < taps.tap_count; ++t) {
        const long tap = taps.first_tap + t;
        float* to[kMostTogether];
        for (int s = 0; s < samples; ++s) to[s] = out + (s * taps.tap_count + t) * tap_size;
        for (long first = 0; first < shape.experts; first += kMostTogether) {
            const int experts = static_cast<int>(least(kMostTogether, shape.experts - first));
            const float* weights[kMostTogether];
            float factor[kMostTogether][kMostTogether] = {};
            for (int e = 0; e < experts; ++e) {
                weights[e] = expert_rows(c, item, all_experts, row, rows, first + e, tap);
                for (int s = 0; s < samples; ++s) factor[s][e] = coefficient(c, sample + s, first + e, tap);
            }
            combine_samples(samples, experts, weights, factor, tap_size, first > 0, to);
        }
    }
}

// Adds the pass's scale and bias and stores the columns that exist; dots with the partner before scaling.
template <class T>
static void finish(const Convolution& c, const ConvolveItem& item, long sample, const float* accumulator) {
    const BlockTable& block = c.blocks[item.block];
    const long column = item.column_block * kColumnBlock;
    const long count = least(item.width, c.bank_shape.columns - column);
    const long channel = item.group * c.bank_shape.columns + column;
    float scale[kColumnBlock], bias[kColumnBlock], dots[kColumnBlock];
    for (long j = 0; j < count; ++j) {
        const long at = sample * c.destination_channels + channel + j;
        scale[j] = c.destination_scale ? c.destination_scale[at] : 1.0f;
        bias[j] = c.bias ? c.bias[at] : 0.0f;
        dots[j] = 0;
    }
    const long start = (sample * c.destination_pixels + block.first_destination) * c.destination_channels + channel;
    T* y = static_cast<T*>(c.destination.data) + start;
    const T* partner = static_cast<const T*>(c.partner.data) + (c.partner.data ? start : 0);
    for (long p = 0; p < block.destination_count; ++p, y += c.destination_channels) {
        const float* a = accumulator + p * item.width;
        for (long j = 0; j < count; ++j) put(y[j], a[j] * scale[j] + bias[j]);
        if (!c.partner.data) continue;
        for (long j = 0; j < count; ++j) dots[j] += number(partner[j]) * a[j];
        partner += c.destination_channels;
    }
    if (!c.partner.data) return;
    float* out = c.dots + (item.block * c.samples + sample) * c.destination_channels + channel;
    for (long j = 0; j < count; ++j) out[j] = dots[j];
}

static void convolve_item(void* context, long index) {
    const Convolution& c = *static_cast<const Convolution*>(context);
    const ConvolveItem item = locate(c, index);
    const BlockTable& block = c.blocks[item.block];
    const bool lanes = c.bank_shape.lane_columns > 0;
    const long source_size = (c.largest_source + 1) * c.row_chunk * (lanes ? item.width : 1);
    const long accumulator_size = block.destination_count * item.width;
    float* source = scratch(kSource, c.sample_block * (c.largest_source + 1) * c.row_chunk * (lanes ? kColumnBlock : 1));
    float* accumulator = scratch(kAccumulator, c.sample_block * c.largest_destination * kColumnBlock);
    float* kernel = scratch(kKernel, c.sample_group * c.most_taps * c.row_chunk * kColumnBlock);
    clear(accumulator, item.samples * accumulator_size);
    for (long row = 0; row < c.bank_shape.rows; row += c.row_chunk) {
        const long rows = least(c.row_chunk, c.bank_shape.rows - row);
        const SourcePart part{item.group, row, rows, item.column_block * kColumnBlock, item.width};
        for (long s = 0; s < item.samples; ++s)
            pack_source(c, block, item.first_sample + s, part, source + s * source_size);
        const PlainBlock weights{row, rows, item.column_block * kColumnBlock, item.width};
        const float* experts = c.plain_bank ? read_experts(c, c.transposed, item.group, weights) : nullptr;
        for (int g = 0; g < block.group_count; ++g) {
            const TapGroup& taps = block.groups[g];
            if (taps.run_count == 0) continue;
            for (long s = 0; s < item.samples; s += c.sample_group) {
                const int together = static_cast<int>(least(c.sample_group, item.samples - s));
                if (c.bank)
                    assemble(c, item, experts, taps, row, rows, item.first_sample + s, together, kernel);
                else if (c.cells.packed)
                    assemble_cells(c.cells, c.bank_shape.taps, item.first_sample + s, together, row, rows,
                                   item.column_block, item.width, kernel);
                else
                    read_kernel(c, item, row, rows, item.first_sample + s, kernel);
                const long tap_size = rows * item.width;
                for (int j = 0; j < together; ++j)
                    for (int r = 0; r < taps.run_count; ++r)
                        multiply({source + (s + j) * source_size, kernel + j * taps.tap_count * tap_size, rows,
                                  item.width, tap_size, accumulator + (s + j) * accumulator_size, lanes},
                                 taps.runs[r]);
            }
        }
    }
    for (long s = 0; s < item.samples; ++s)
        (c.destination.half ? finish<BFloat16> : finish<float>)(c, item, item.first_sample + s,
                                                                accumulator + s * accumulator_size);
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
