// Kernels whose every tap is a mixture of cells that all samples share: assembled in cache, and their gradient, which is
// folded into cells and mixtures while in cache. Both are products of mixtures and packed cells.
#pragma once
#include "plain.h"
#include "source.h"
#include "tile.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// One item is a run of rows of one column block of all cells.
static void pack_cells_item(void* context, long index) {
    const CellPacking& p = *static_cast<const CellPacking*>(context);
    const CellBank& m = p.cells;
    const long row = index % p.runs() * Packing::kRows, rows = least(Packing::kRows, m.rows - row);
    const long block = index / p.runs(), width = block_width(m.columns, block);
    const BankShape shape{1, 1, 1, m.rows, m.columns, 0};
    float* to = p.to + (m.packed_row(block, row, width) - m.packed);
    float* cell = scratch(kTile, rows * width);
    for (long n = 0; n < m.cells; ++n, to += width) {
        read_plain(shape, m.transposed, p.from + n * m.rows * m.columns, {row, rows, block * kColumnBlock, width}, rows,
                   cell);
        for (long r = 0; r < rows; ++r)
            for (long c = 0; c < width; ++c) to[r * m.cells * width + c] = cell[r * width + c];
    }
}

// Where the taps of a kernel stand in the mixtures, and in a part of the kernel laid out as [tap][rows][width].
struct CellTaps {
    int mixtures[kMostCellTaps], kernel[kMostCellTaps];
    CellTaps(const CellBank& m, long taps, long rows) {
        for (long t = 0; t < taps; ++t) {
            mixtures[t] = static_cast<int>(t * m.row_cells * m.column_cells);
            kernel[t] = static_cast<int>(t * rows);
        }
    }
};

// The mixture of the first tap of a block of a sample's kernel; the next taps' are CellTaps::mixtures cells further on.
static inline const float* first_mixture(const CellBank& m, long taps, long sample, long row_cell, long column_cell) {
    return m.mixtures + m.mixture_of(taps, sample, row_cell, column_cell);
}

// Kernels of some samples, all taps of some rows of a column block: out is [sample][tap][rows][width].
static void assemble_cells(const CellBank& m, long taps, long sample, long samples, long row, long rows,
                           long column_block, long width, float* out) {
    const long all = samples * taps;
    const CellTaps at(m, all, rows);
    const int none = 0;
    const Run run{&none, 1, at.mixtures, at.kernel, static_cast<int>(all)};
    const long blocks = ceil_div(m.columns, kColumnBlock);
    const float* mixture = first_mixture(m, taps, sample, row / m.rows, column_block / blocks);
    clear(out, all * rows * width);
    for (long r = 0; r < rows; ++r)
        multiply({mixture, m.packed_row(column_block % blocks, row % m.rows + r, width), m.cells, width, 0,
                  out + r * width, false},
                 run);
}

// Cells that lie side by side in the turned layout: a row's column has all of them in a run.
static inline long turned_cells(const CellBank& m) { return padded_columns(m.cells); }

// Packed rows of a column block into [row][column][cell], zeros for cells that do not exist.
static void turn_cells(const CellBank& m, const float* packed, long rows, long width, float* to) {
    static const float zeros[kLanes] = {};
    const long step = turned_cells(m);
    for (long r = 0; r < rows; ++r, packed += m.cells * width, to += width * step)
        for (long n = 0; n < step; n += kLanes)
            for (long c = 0; c < width; c += kLanes) {
                const float* from[kLanes];
                for (long i = 0; i < kLanes; ++i) from[i] = n + i < m.cells ? packed + (n + i) * width + c : zeros;
                turn(from, to + c * step + n, step);
            }
}

// One item: some rows of a cell, one column block, all samples and blocks of their kernels.
struct CellItem {
    long column_block, width, columns, first_row, rows;
    float *sums, *source, *gradient, *turned, *totals, *products, *dots;
};

// So many taps, of one sample or of some, are folded into the cells in one sweep over them.
constexpr long kFoldedTaps = 36;
static_assert(kFoldedTaps <= kMostCellTaps, "CellTaps holds them");

// The kernel gradient of one block of one sample's kernel: sums is [tap][rows][width].
static void gather_kernel_gradient(const Gradient& g, const CellItem& item, long sample, long row_cell,
                                   long column_cell, float* sums) {
    const long taps = g.bank_shape.taps, row = row_cell * g.cells.rows + item.first_row;
    const long column = column_cell * g.cells.columns + item.column_block * kColumnBlock;
    clear(sums, taps * item.rows * item.width);
    for (long b = 0; b < g.block_count; ++b) {
        const BlockTable& block = g.blocks[b];
        pack_source(g, block, sample, {0, row, item.rows, column, item.width}, item.source);
        pack_gradient_columns(g, block, sample, column, item.columns, item.width, item.gradient);
        for (long tap = 0; tap < taps; ++tap) {
            if (block.groups[tap].run_count == 0) continue;
            const Run& run = block.groups[tap].runs[0];
            outer({item.source, item.gradient, item.rows, item.width, run.source, run.destination, run.count, false, true},
                  static_cast<int>(item.rows), sums + tap * item.rows * item.width);
        }
    }
}

// Adds the gathered gradients of some samples to that of the cells, and their inner products with the cells to that of
// the mixtures: for all cells at a time, so that no product is summed over the lanes of a register.
static void fold_into_cells(const Gradient& g, const CellItem& item, long sample, long samples, long row_cell,
                            long column_cell) {
    const CellBank& m = g.cells;
    const long taps = g.bank_shape.taps, all = samples * taps, turned = turned_cells(m);
    const CellTaps at(m, all, item.rows);
    const float* mixture = first_mixture(m, taps, sample, row_cell, column_cell);
    int product[kMostCellTaps];
    for (long t = 0; t < all; ++t) product[t] = static_cast<int>(t);
    const int none = 0;
    const Run run{&none, 1, at.kernel, product, static_cast<int>(all)};
    clear(item.products, all * turned);
    for (long r = 0; r < item.rows; ++r) {
        const float* sums = item.sums + r * item.width;
        outer({mixture, sums, m.cells, item.width, at.mixtures, at.kernel, static_cast<int>(all), false, true},
              static_cast<int>(m.cells), item.totals + r * m.cells * item.width);
        multiply({sums, item.turned + r * item.width * turned, item.width, turned, 0, item.products, false}, run);
    }
    float* out = item.dots + m.mixture_of(taps, sample, row_cell, column_cell);
    for (long t = 0; t < all; ++t)
        for (long n = 0; n < m.cells; ++n) out[at.mixtures[t] * m.cells + n] += item.products[t * turned + n];
}

// Into PyTorch's layout, (N, o, i).
static void store_cells(const Gradient& g, const CellItem& item) {
    const CellBank& m = g.cells;
    for (long n = 0; n < m.cells; ++n)
        for (long c = 0; c < item.columns; ++c) {
            const long column = item.column_block * kColumnBlock + c;
            float* to = g.bank_gradient + (n * m.columns + column) * m.rows + item.first_row;
            for (long r = 0; r < item.rows; ++r) to[r] = item.totals[(r * m.cells + n) * item.width + c];
        }
}

// All samples into a range of rows.
static void fold_range(const Gradient& g, const CellItem& item) {
    const CellBank& m = g.cells;
    const long taps = g.bank_shape.taps, size = taps * item.rows * item.width;
    const long together = most(1, kFoldedTaps / taps);
    for (long q = 0; q < m.column_cells; ++q)
        for (long r = 0; r < m.row_cells; ++r)
            for (long sample = 0; sample < g.samples; sample += together) {
                const long samples = least(together, g.samples - sample);
                for (long s = 0; s < samples; ++s)
                    gather_kernel_gradient(g, item, sample + s, r, q, item.sums + s * size);
                fold_into_cells(g, item, sample, samples, r, q);
            }
}

static void cell_gradient_item(void* context, long index) {
    const Gradient& g = *static_cast<const Gradient*>(context);
    const CellBank& m = g.cells;
    const long taps = g.bank_shape.taps, ranges = ceil_div(m.rows, g.row_range), together = most(taps, kFoldedTaps);
    const long band = index % g.bands, first_range = ranges * band / g.bands, next = ranges * (band + 1) / g.bands;
    CellItem item;
    item.column_block = index / g.bands;
    item.width = block_width(m.columns, item.column_block);
    item.columns = least(item.width, m.columns - item.column_block * kColumnBlock);
    item.sums = scratch(kKernel, together * g.row_range * item.width);
    item.source = scratch(kSource, (g.largest_source + 1) * g.row_range);
    item.gradient = scratch(kAccumulator, g.largest_destination * item.width);
    item.turned = scratch(kBank, g.row_range * item.width * turned_cells(m));
    item.totals = scratch(kTile, g.row_range * m.cells * item.width);
    item.products = scratch(kSmall, together * turned_cells(m));
    item.dots = g.coefficient_parts + index * m.mixture_of(taps, g.samples, 0, 0);
    clear(item.dots, m.mixture_of(taps, g.samples, 0, 0));
    for (long range = first_range; range < next; ++range) {
        item.first_row = range * g.row_range;
        item.rows = least(g.row_range, m.rows - item.first_row);
        clear(item.totals, item.rows * m.cells * item.width);
        turn_cells(m, m.packed_row(item.column_block, item.first_row, item.width), item.rows, item.width, item.turned);
        fold_range(g, item);
        store_cells(g, item);
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
