// Banks from PyTorch's layout (K, O, I/groups, *k) into the packed layout of BankShape.
#pragma once
#include "passes.h"
#include "plain.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// One item is a run of rows of one column block.
static void pack_item(void* context, long index) {
    const Packing& p = *static_cast<const Packing*>(context);
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

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
