// The part of a source map that an item reads: closely packed, scaled, and followed by a zero pixel for the padding.
#pragma once
#include "passes.h"
#include "vector.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// Rows (source channels of a group); lane by lane also the columns whose own channels are wanted.
struct SourcePart {
    long group, row, rows, column, width;
};

template <class T>
static void pack_rows(const T* from, long channels, const float* scale, const BlockTable& block, long rows,
                      float* to) {
    for (int p = 0; p < block.source_count; ++p, to += rows) {
        const T* x = from + block.source_pixels[p] * channels;
        if (scale)
            for (long r = 0; r < rows; ++r) to[r] = number(x[r]) * scale[r];
        else
            for (long r = 0; r < rows; ++r) to[r] = number(x[r]);
    }
    clear(to, rows);
}

// To is [pixel][row][column of the part]: column c of the bank reads its group's channel of that row.
template <class T>
static void pack_lanes(const BankShape& shape, const T* from, long channels, const float* scale,
                       const BlockTable& block, const SourcePart& part, float* to) {
    const long columns = least(part.width, shape.columns - part.column);
    int first[kColumnBlock];  // the channel that a column reads in row 0
    for (long c = 0; c < columns; ++c)
        first[c] = static_cast<int>((part.column + c) / shape.lane_columns * shape.rows + part.row);
    for (int p = 0; p < block.source_count; ++p) {
        const T* x = from + block.source_pixels[p] * channels;
        for (long r = 0; r < part.rows; ++r, to += part.width) {
            if (scale)
                for (long c = 0; c < columns; ++c) to[c] = number(x[first[c] + r]) * scale[first[c] + r];
            else
                for (long c = 0; c < columns; ++c) to[c] = number(x[first[c] + r]);
            for (long c = columns; c < part.width; ++c) to[c] = 0;
        }
    }
    clear(to, part.rows * part.width);
}

template <class T, class Pass>
static void pack_source_of(const Pass& pass, const BlockTable& block, long sample, const SourcePart& part, float* to) {
    const BankShape& shape = pass.bank_shape;
    const long channels = pass.source_channels;
    const T* from = static_cast<const T*>(pass.source.data) + sample * pass.source_pixels * channels;
    const float* scale = pass.source_scale ? pass.source_scale + sample * channels : nullptr;
    const long channel = part.group * shape.rows + part.row;
    if (!shape.lane_columns)
        pack_rows(from + channel, channels, scale ? scale + channel : nullptr, block, part.rows, to);
    else if (shape.rows == 1 && shape.lane_columns == 1 && part.column + part.width <= shape.columns)
        pack_rows(from + part.column, channels, scale ? scale + part.column : nullptr, block, part.width, to);
    else
        pack_lanes(shape, from, channels, scale, block, part, to);
}

template <class Pass>
static void pack_source(const Pass& pass, const BlockTable& block, long sample, const SourcePart& part, float* to) {
    if (pass.source.half)
        pack_source_of<BFloat16>(pass, block, sample, part, to);
    else
        pack_source_of<float>(pass, block, sample, part, to);
}

// `count` channels of neighbouring pixels, `stride` apart, into rows of `width` floats, the rest of which is zero.
template <class T>
static void pack_columns(const T* from, long stride, long pixels, long count, long width, float* to) {
    for (long p = 0; p < pixels; ++p, from += stride, to += width) {
        for (long j = 0; j < count; ++j) to[j] = number(from[j]);
        for (long j = count; j < width; ++j) to[j] = 0;
    }
}

// The gradient under one block, its columns from a channel on.
static void pack_gradient_columns(const Gradient& g, const BlockTable& block, long sample, long channel, long count,
                                  long width, float* to) {
    const long stride = g.destination_channels, pixels = block.destination_count;
    const long from = (sample * g.destination_pixels + block.first_destination) * stride + channel;
    if (g.gradient.half)
        pack_columns(static_cast<const BFloat16*>(g.gradient.data) + from, stride, pixels, count, width, to);
    else
        pack_columns(static_cast<const float*>(g.gradient.data) + from, stride, pixels, count, width, to);
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
