#include "pack.h"

#include "parallel.h"
#include "plain.h"

namespace dynaconv {
namespace {

// One item is a run of rows of one column block.
struct Packing {
    BankShape shape;
    const float* from;
    float* to;
    bool transposed;

    static constexpr long kRows = 32;

    long runs() const { return ceil_div(shape.rows, kRows); }
    long items() const { return shape.experts * shape.groups * shape.column_blocks() * runs(); }
};

void pack_item(void* context, long index) {
    const auto& p = *static_cast<const Packing*>(context);
    const BankShape& shape = p.shape;
    const long row = index % p.runs() * Packing::kRows;
    index /= p.runs();
    const long block = index % shape.column_blocks();
    index /= shape.column_blocks();
    const long group = index % shape.groups, expert = index / shape.groups;
    const long width = block_width(shape.columns, block);
    read_plain(shape, p.transposed, p.from + (expert * shape.groups + group) * shape.rows * shape.columns * shape.taps,
               {row, least(Packing::kRows, shape.rows - row), block * kColumnBlock, width}, shape.rows,
               p.to + shape.block_start(expert, group, block) + row * width);
}

// One item is a run of rows of one column block of all cells.
struct CellPacking {
    const CellBank& cells;
    const float* from;
    float* to;
    long runs() const { return ceil_div(cells.rows, Packing::kRows); }
};

void pack_cell_item(void* context, long index) {
    const auto& p = *static_cast<const CellPacking*>(context);
    const CellBank& m = p.cells;
    const long row = index % p.runs() * Packing::kRows, next = least(row + Packing::kRows, m.rows);
    const long block = index / p.runs(), width = block_width(m.columns, block), column = block * kColumnBlock;
    const long columns = least(width, m.columns - column);
    const long row_step = m.transposed ? m.columns : 1, column_step = m.transposed ? 1 : m.rows;
    for (long r = row; r < next; ++r)
        for (long n = 0; n < m.cells; ++n) {
            const float* from = p.from + n * m.rows * m.columns + r * row_step + column * column_step;
            float* to = p.to + (m.packed_row(block, r, width) - m.packed) + n * width;
            for (long c = 0; c < columns; ++c) to[c] = from[c * column_step];
            for (long c = columns; c < width; ++c) to[c] = 0;
        }
}

}  // namespace

void pack_cells(long threads, const CellBank& cells, const float* from, float* packed) {
    CellPacking packing{cells, from, packed};
    parallel_for(threads, ceil_div(cells.columns, kColumnBlock) * packing.runs(), pack_cell_item, &packing);
}

void pack_bank(const Problem& problem, const float* bank, bool transposed, float* packed) {
    Packing packing{bank_shape(problem, transposed), bank, packed, transposed};
    expect_writes(packed, packing.shape.experts * packing.shape.groups * packing.shape.group_size() * sizeof(float));
    parallel_for(problem.threads, packing.items(), pack_item, &packing);
}

}  // namespace dynaconv
