// Sums over a packed part of a bank into PyTorch's layout (K, O, I/groups, *k).
#pragma once
#include "passes.h"
#include "vector.h"

namespace dynaconv {
namespace DYNACONV_ISA {

struct PlainPart {
    long group, first_column, columns, first_row, rows;
};

// From is [tap][row][width].
static void store_plain(const BankShape& shape, const PlainPart& part, long expert, const float* from, long width,
                        float* plain) {
    const long step = shape.rows * shape.taps;
    for (long first = 0; first < part.columns; first += kColumnUnit) {
        const long columns = least(kColumnUnit, part.columns - first);
        const long output = (expert * shape.groups + part.group) * shape.columns + part.first_column + first;
        float* to = plain + output * step + part.first_row * shape.taps;
        for (long r = 0; r < part.rows; ++r)
            for (long t = 0; t < shape.taps; ++t, ++to)
                for (long c = 0; c < columns; ++c) to[c * step] = from[(t * part.rows + r) * width + first + c];
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
