#include "pack.h"

#include "parallel.h"

namespace dynaconv {
namespace {

// One item is a run of rows of one column block.
struct Packing {
    BankShape shape;
    const float* from;
    float* to;
    bool transposed;

    static constexpr long kRows = 32;

    long items() const { return shape.experts * shape.groups * shape.column_blocks() * ceil_div(shape.rows, kRows); }

    // Start in the plain bank of (expert, group, row, column), and the steps between rows and columns.
    long plain_start(long expert, long group) const {
        return (expert * shape.groups + group) * shape.rows * shape.columns * shape.taps;
    }
    long row_step() const {
        const long columns = shape.lane_columns ? shape.lane_columns : shape.columns;
        return transposed ? columns * shape.taps : shape.taps;
    }
    long column_step() const { return transposed ? shape.taps : shape.rows * shape.taps; }

    // Where a column's weights start, from those of the first column of its group.
    long column_start(long column) const {
        if (!shape.lane_columns || !transposed) return column * column_step();
        const long group = column / shape.lane_columns, within = column % shape.lane_columns;
        return group * shape.lane_columns * shape.rows * shape.taps + within * shape.taps;
    }

    struct Item {
        long plain, packed, rows, first_column, width, columns;
    };

    Item locate(long index) const {
        const long runs = ceil_div(shape.rows, kRows);
        const long run = index % runs;
        index /= runs;
        const long block = index % shape.column_blocks();
        index /= shape.column_blocks();
        const long group = index % shape.groups, expert = index / shape.groups;
        const long first = run * kRows, width = block_width(shape.columns, block);
        return {plain_start(expert, group) + first * row_step(),
                shape.block_start(expert, group, block) + first * width,
                least(kRows, shape.rows - first),
                block * kColumnBlock,
                width,
                least(width, shape.columns - block * kColumnBlock)};
    }
};

void pack_item(void* context, long index) {
    const auto& p = *static_cast<const Packing*>(context);
    const auto item = p.locate(index);
    const long taps = p.shape.taps;
    // Sixteen columns at a time: as many streams as the first-level cache holds when they lie far apart.
    for (long first = 0; first < item.width; first += kColumnUnit) {
        const long columns = most(0, least(kColumnUnit, item.columns - first));
        const float* starts[kColumnUnit];
        for (long c = 0; c < columns; ++c)
            starts[c] = p.from + item.plain + p.column_start(item.first_column + first + c);
        for (long r = 0; r < item.rows; ++r)
            for (long t = 0; t < taps; ++t) {
                const long from = r * p.row_step() + t;
                float* to = p.to + item.packed + (t * p.shape.rows + r) * item.width + first;
                for (long c = 0; c < columns; ++c) to[c] = starts[c][from];
                for (long c = columns; c < kColumnUnit; ++c) to[c] = 0;
            }
    }
}

}  // namespace

void pack_bank(const Problem& problem, const float* bank, bool transposed, float* packed) {
    Packing packing{bank_shape(problem, transposed), bank, packed, transposed};
    expect_writes(packed, packing.shape.experts * packing.shape.groups * packing.shape.group_size() * sizeof(float));
    parallel_for(problem.threads, packing.items(), pack_item, &packing);
}

}  // namespace dynaconv
