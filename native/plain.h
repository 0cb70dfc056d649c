// Weights in PyTorch's layout (O, I/groups, *k), read into rows of columns.
#pragma once
#include "problem.h"
#include "transpose.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// Rows and columns of one group, as BankShape counts them; a column block at most.
struct PlainBlock {
    long first_row, rows, first_column, width;
};

// Where columns lie side by side, row by row: a row's weights are all there is in a run of memory. As read_plain.
static inline void read_rows(const BankShape& shape, const float* from, const PlainBlock& block, long tap_rows,
                             float* to) {
    const long taps = shape.taps, row_step = shape.columns * taps;
    const long columns = least(block.width, shape.columns - block.first_column);
    from += block.first_row * row_step + block.first_column * taps;
    for (long r = 0; r < block.rows; ++r, from += row_step, to += block.width) {
        for (long i = 0; i < columns * taps; i += kColumnUnit) __builtin_prefetch(from + row_step + i);
        for (long t = 0; t < taps; ++t) {
            float* row = to + t * tap_rows * block.width;
            for (long c = 0; c < columns; ++c) row[c] = from[c * taps + t];
            for (long c = columns; c < block.width; ++c) row[c] = 0;
        }
    }
}

// A column's numbers in order, all taps of the first row first, and where the rows that they belong to start.
struct RowWalk {
    long taps, tap_rows, width;
    long row = 0, tap = 0;
    long start() const { return (tap * tap_rows + row) * width; }
    void step() {
        if (++tap < taps) return;
        tap = 0;
        ++row;
    }
};

// Takes sixteen columns, each a run of memory, as far as whole squares go.
static inline void read_squares(const float* const* starts, long count, RowWalk& walk, float* to) {
    for (long n = 0; kTransposes && n + kLanes <= count; n += kLanes) {
        float* rows[kLanes];
        for (int i = 0; i < kLanes; ++i, walk.step()) rows[i] = to + walk.start();
        for (long first = 0; first < kColumnUnit; first += kLanes) {
            Vector square[kLanes];
            for (int i = 0; i < kLanes; ++i) square[i] = load(starts[first + i] + n);
            transpose(square);
            for (int i = 0; i < kLanes; ++i) store(rows[i] + first, square[i]);
        }
    }
}

// To is [tap][row][column], `tap_rows` rows for each tap; columns that do not exist become zero. From is where the group's
// weights start.
static inline void read_plain(const BankShape& shape, bool transposed, const float* from, const PlainBlock& block,
                              long tap_rows, float* to) {
    if (transposed && !shape.lane_columns) return read_rows(shape, from, block, tap_rows, to);
    const long taps = shape.taps, together = shape.lane_columns ? shape.lane_columns : shape.columns;
    const long row_step = transposed ? together * taps : taps, column_step = transposed ? taps : shape.rows * taps;
    // Sixteen columns at a time: as many streams as the first-level cache holds when they lie far apart.
    for (long first = 0; first < block.width; first += kColumnUnit, to += kColumnUnit) {
        const long columns = most(0, least(kColumnUnit, shape.columns - block.first_column - first));
        const float* starts[kColumnUnit];
        for (long c = 0; c < columns; ++c) {
            const long column = block.first_column + first + c, group = column / together;
            starts[c] = from + group * together * shape.rows * taps + column % together * column_step +
                        block.first_row * row_step;
        }
        RowWalk walk{taps, tap_rows, block.width};
        if (columns == kColumnUnit && row_step == taps) read_squares(starts, block.rows * taps, walk, to);
        for (; walk.row < block.rows; walk.step()) {
            float* row = to + walk.start();
            for (long c = 0; c < columns; ++c) row[c] = starts[c][walk.row * row_step + walk.tap];
            for (long c = columns; c < kColumnUnit; ++c) row[c] = 0;
        }
    }
}

}  // namespace DYNACONV_ISA

}  // namespace dynaconv
