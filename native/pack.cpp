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

}  // namespace

void pack_bank(const Problem& problem, const float* bank, bool transposed, float* packed) {
    Packing packing{bank_shape(problem, transposed), bank, packed, transposed};
    expect_writes(packed, packing.shape.experts * packing.shape.groups * packing.shape.group_size() * sizeof(float));
    parallel_for(problem.threads, packing.items(), pack_item, &packing);
}

}  // namespace dynaconv
