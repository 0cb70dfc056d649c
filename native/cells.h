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

// A sample's kernel, all taps of some rows of a column block: out is [tap][rows][width].
static void assemble_cells(const CellBank& m, long taps, long sample, long row, long rows, long column_block, long width,
                           float* out) {
    const CellTaps at(m, taps, rows);
    const int none = 0;
    const Run run{&none, 1, at.mixtures, at.kernel, static_cast<int>(taps)};
    const long blocks = ceil_div(m.columns, kColumnBlock);
    const float* mixture = first_mixture(m, taps, sample, row / m.rows, column_block / blocks);
    clear(out, taps * rows * width);
    for (long r = 0; r < rows; ++r)
        multiply({mixture, m.packed_row(column_block % blocks, row % m.rows + r, width), m.cells, width, 0,
                  out + r * width, false},
                 run);
}

// Inner products of P taps of a kernel's gradient, [tap][rows][width], and E packed cells; added to [tap][step].
template <int P, int E>
static void dot_cells(const float* gradient, const float* cells, long rows, long width, long cell_row, long step,
                      float* out) {
    Vector dots[P][E];
    for (int p = 0; p < P; ++p)
        for (int e = 0; e < E; ++e) dots[p][e] = Vector{};
    for (long r = 0; r < rows; ++r)
        for (long v = 0; v < width; v += kLanes) {
            Vector cell[E];
            for (int e = 0; e < E; ++e) cell[e] = load(cells + r * cell_row + e * width + v);
            for (int p = 0; p < P; ++p) {
                const Vector value = load(gradient + (p * rows + r) * width + v);
                for (int e = 0; e < E; ++e) dots[p][e] += value * cell[e];
            }
        }
    for (int p = 0; p < P; ++p)
        for (int e = 0; e < E; ++e) out[p * step + e] += sum(dots[p][e]);
}

template <int P>
static void dot_taps(const CellBank& m, const float* gradient, const float* cells, long rows, long width, long step,
                     float* out) {
    long n = 0;
    for (; n + 2 <= m.cells; n += 2)
        dot_cells<P, 2>(gradient, cells + n * width, rows, width, m.cells * width, step, out + n);
    if (n < m.cells) dot_cells<P, 1>(gradient, cells + n * width, rows, width, m.cells * width, step, out + n);
}

// One item: some rows of a cell, one column block, all samples and blocks of their kernels.
struct CellItem {
    long column_block, width, columns, first_row, rows;
    float *sums, *source, *gradient, *totals, *dots;
};

// The kernel gradient of one block of one sample's kernel, [tap][rows][width].
static void gather_kernel_gradient(const Gradient& g, const CellItem& item, long sample, long row_cell,
                                   long column_cell) {
    const long taps = g.bank_shape.taps, row = row_cell * g.cells.rows + item.first_row;
    const long column = column_cell * g.cells.columns + item.column_block * kColumnBlock;
    clear(item.sums, taps * item.rows * item.width);
    for (long b = 0; b < g.block_count; ++b) {
        const BlockTable& block = g.blocks[b];
        pack_source(g, block, sample, {0, row, item.rows, column, item.width}, item.source);
        pack_gradient_columns(g, block, sample, column, item.columns, item.width, item.gradient);
        for (long tap = 0; tap < taps; ++tap) {
            if (block.groups[tap].run_count == 0) continue;
            const Run& run = block.groups[tap].runs[0];
            outer({item.source, item.gradient, item.rows, item.width, run.source, run.destination, run.count, false, true},
                  static_cast<int>(item.rows), item.sums + tap * item.rows * item.width);
        }
    }
}

// Adds the gathered gradient to that of the cells, and its inner products with them to that of the mixtures.
static void fold_into_cells(const Gradient& g, const CellItem& item, long sample, long row_cell, long column_cell) {
    const CellBank& m = g.cells;
    const long taps = g.bank_shape.taps, step = m.row_cells * m.column_cells * m.cells;
    const CellTaps at(m, taps, item.rows);
    const float* mixture = first_mixture(m, taps, sample, row_cell, column_cell);
    for (long r = 0; r < item.rows; ++r)
        outer({mixture, item.sums + r * item.width, m.cells, item.width, at.mixtures, at.kernel, static_cast<int>(taps),
               false, true},
              static_cast<int>(m.cells), item.totals + r * m.cells * item.width);
    const float* cells = m.packed_row(item.column_block, item.first_row, item.width);
    float* out = item.dots + m.mixture_of(taps, sample, row_cell, column_cell);
    constexpr long kTogether = kAccumulators >= 24 ? 9 : 3;
    const long size = item.rows * item.width;
    long t = 0;
    for (; t + kTogether <= taps; t += kTogether)
        dot_taps<kTogether>(m, item.sums + t * size, cells, item.rows, item.width, step, out + t * step);
    for (; t < taps; ++t) dot_taps<1>(m, item.sums + t * size, cells, item.rows, item.width, step, out + t * step);
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

static void cell_gradient_item(void* context, long index) {
    const Gradient& g = *static_cast<const Gradient*>(context);
    const CellBank& m = g.cells;
    const long taps = g.bank_shape.taps, ranges = ceil_div(m.rows, g.row_range);
    const long band = index % g.bands, first_range = ranges * band / g.bands, next = ranges * (band + 1) / g.bands;
    CellItem item;
    item.column_block = index / g.bands;
    item.width = block_width(m.columns, item.column_block);
    item.columns = least(item.width, m.columns - item.column_block * kColumnBlock);
    item.sums = scratch(kKernel, taps * g.row_range * item.width);
    item.source = scratch(kSource, (g.largest_source + 1) * g.row_range);
    item.gradient = scratch(kAccumulator, g.largest_destination * item.width);
    item.totals = scratch(kTile, g.row_range * m.cells * item.width);
    item.dots = g.coefficient_parts + index * m.mixture_of(taps, g.samples, 0, 0);
    clear(item.dots, m.mixture_of(taps, g.samples, 0, 0));
    for (long range = first_range; range < next; ++range) {
        item.first_row = range * g.row_range;
        item.rows = least(g.row_range, m.rows - item.first_row);
        clear(item.totals, item.rows * m.cells * item.width);
        for (long sample = 0; sample < g.samples; ++sample)
            for (long q = 0; q < m.column_cells; ++q)
                for (long r = 0; r < m.row_cells; ++r) {
                    gather_kernel_gradient(g, item, sample, r, q);
                    fold_into_cells(g, item, sample, r, q);
                }
        store_cells(g, item);
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
