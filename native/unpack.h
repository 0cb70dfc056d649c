// Sums over a packed part of a bank into PyTorch's layout (K, O, I/groups, *k).
#pragma once
#include "passes.h"
#include "plain.h"

namespace dynaconv {
namespace DYNACONV_ISA {

struct PlainPart {
    long group, first_column, columns, first_row, rows;
};

// Sixteen columns of rows into a run of memory each, `step` apart, as far as whole squares go.
static inline void store_squares(const float* from, long count, RowWalk& walk, long step, float* to) {
    for (long n = 0; kTransposes && n + kLanes <= count; n += kLanes) {
        const float* rows[kLanes];
        for (int i = 0; i < kLanes; ++i, walk.step()) rows[i] = from + walk.start();
        for (long first = 0; first < kColumnUnit; first += kLanes) {
            Vector square[kLanes];
            for (int i = 0; i < kLanes; ++i) square[i] = load(rows[i] + first);
            transpose(square);
            for (int i = 0; i < kLanes; ++i) store(to + (first + i) * step + n, square[i]);
        }
    }
}

// From is [tap][row][width].
static void store_plain(const BankShape& shape, const PlainPart& part, long expert, const float* from, long width,
                        float* plain) {
    const long step = shape.rows * shape.taps;
    for (long first = 0; first < part.columns; first += kColumnUnit) {
        const long columns = least(kColumnUnit, part.columns - first);
        const long output = (expert * shape.groups + part.group) * shape.columns + part.first_column + first;
        float* to = plain + output * step + part.first_row * shape.taps;
        RowWalk walk{shape.taps, part.rows, width};
        if (columns == kColumnUnit) store_squares(from + first, part.rows * shape.taps, walk, step, to);
        for (; walk.row < part.rows; walk.step())
            for (long c = 0; c < columns; ++c)
                to[c * step + walk.row * shape.taps + walk.tap] = from[walk.start() + first + c];
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
