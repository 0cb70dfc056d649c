// Kernels that the samples bring along, in PyTorch's layout: their gradient. Convolving with them is in convolve.h.
#pragma once
#include "source.h"
#include "tile.h"
#include "unpack.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// One item: a sample, a column block of one group, a range of rows, every tap.
static void dense_gradient_item(void* context, long index) {
    const Gradient& g = *static_cast<const Gradient*>(context);
    const BankShape& shape = g.bank_shape;
    const long sample = index / g.items();
    index %= g.items();
    const long row = index % g.row_ranges() * g.row_range, rows = least(g.row_range, shape.rows - row);
    index /= g.row_ranges();
    const long group = index / shape.column_blocks(), column_block = index % shape.column_blocks();
    const long width = block_width(shape.columns, column_block), column = column_block * kColumnBlock;
    const long columns = least(width, shape.columns - column);
    const bool lanes = shape.lane_columns > 0;
    const long source_row = rows * (lanes ? width : 1);
    float* sums = scratch(kKernel, shape.taps * rows * width);
    float* source = scratch(kSource, (g.largest_source + 1) * source_row);
    float* gradient = scratch(kAccumulator, g.largest_destination * width);
    clear(sums, shape.taps * rows * width);
    for (long b = 0; b < g.block_count; ++b) {
        const BlockTable& block = g.blocks[b];
        pack_source(g, block, sample, {group, row, rows, column, width}, source);
        pack_gradient_columns(g, block, sample, group * shape.columns + column, columns, width, gradient);
        for (long tap = 0; tap < shape.taps; ++tap) {
            const TapGroup& taps = block.groups[tap];
            if (taps.run_count == 0) continue;
            const Run& run = taps.runs[0];
            outer({source, gradient, source_row, width, run.source, run.destination, run.count, lanes, true},
                  static_cast<int>(rows), sums + tap * rows * width);
        }
    }
    store_plain(shape, {group, column, columns, row, rows}, sample, sums, width, g.bank_gradient);
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
