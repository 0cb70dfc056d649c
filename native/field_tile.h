// Some columns of a field: their windows laid out row by row, features made of them, and gradients led back to the map.
// A tile is [rows][width]; what is beyond its columns is zero in windows and features, anything elsewhere.
#pragma once
#include "field_pass.h"
#include "parallel.h"
#include "tile.h"

namespace dynaconv {
namespace DYNACONV_ISA {

// Columns of a tile whose positions lie side by side.
struct Piece {
    long at, count, sample, row, column;
};

struct Pieces {
    const Piece* all;
    long count;
    const Piece* begin() const { return all; }
    const Piece* end() const { return all + count; }
};

struct FieldTile {
    long first, count, width;
    Pieces rows, samples;  // positions of one output row; of one sample
};

// The tile's columns in pieces that end where a line of `line` positions does.
static Pieces cut(const FieldPass& f, const FieldTile& tile, long line, Piece* to) {
    long count = 0;
    for (long at = 0; at < tile.count; ++count) {
        const long column = tile.first + at, position = column % f.p.out_pixels();
        const long length = least(line - position % line, tile.count - at);
        to[count] = {at, length, column / f.p.out_pixels(), position / f.p.out_size[2], position % f.p.out_size[2]};
        at += length;
    }
    return {to, count};
}

static FieldTile field_tile(const FieldPass& f, long index) {
    FieldTile tile{};
    tile.first = index * f.tile_columns();
    tile.count = least(f.tile_columns(), f.columns() - tile.first);
    tile.width = ceil_div(tile.count, kColumnUnit) * kColumnUnit;
    auto* all = reinterpret_cast<Piece*>(scratch(kSmall, 2 * f.tile_columns() * (sizeof(Piece) / sizeof(float))));
    tile.rows = cut(f, tile, f.p.out_size[2], all);
    tile.samples = cut(f, tile, f.p.out_pixels(), all + f.tile_columns());
    return tile;
}

typedef float Quad __attribute__((vector_size(16), aligned(4), may_alias));

static inline void copy(const float* from, long count, float* to) {
    long i = 0;
    for (; i + kLanes <= count; i += kLanes) store(to + i, load(from + i));
    for (; i + 4 <= count; i += 4) *reinterpret_cast<Quad*>(to + i) = *reinterpret_cast<const Quad*>(from + i);
    for (; i < count; ++i) to[i] = from[i];
}

static inline void add(const float* from, long count, float* to) {
    long i = 0;
    for (; i + kLanes <= count; i += kLanes) store(to + i, load(to + i) + load(from + i));
    for (; i + 4 <= count; i += 4) *reinterpret_cast<Quad*>(to + i) += *reinterpret_cast<const Quad*>(from + i);
    for (; i < count; ++i) to[i] += from[i];
}

// Where the pixel under a tap stands that the first column of a piece sees, counted from the start of the map.
static inline long pixel_at(const FieldPass& f, const Piece& piece, long channel, long tap_row, long tap_column) {
    const Problem& p = f.p;
    const long row = piece.row * p.stride[1] + tap_row * p.dilation[1];
    const long column = piece.column * p.stride[2] + tap_column * p.dilation[2];
    return (piece.sample * f.channels() + channel) * f.map_size() + row * p.in_size[2] + column;
}

// The pixels under every tap, and a row of ones for the shift.
static void lay_out(const FieldPass& f, const FieldTile& tile, long channel, float* windows) {
    const long step = f.p.stride[2];
    float* row = windows;
    for (long i = 0; i < f.p.kernel[1]; ++i)
        for (long j = 0; j < f.p.kernel[2]; ++j, row += tile.width)
            for (const Piece& piece : tile.rows) {
                const float* from = f.x + pixel_at(f, piece, channel, i, j);
                float* to = row + piece.at;
                if (step == 1) copy(from, piece.count, to);
                for (long n = 0; step > 1 && n < piece.count; ++n) to[n] = from[n * step];
            }
    for (long n = 0; n < tile.count; ++n) row[n] = 1;
    for (long t = 0; tile.count < tile.width && t <= f.taps(); ++t)
        clear(windows + t * tile.width + tile.count, tile.width - tile.count);
}

// The adjoint of lay_out, without the ones. Neighbouring rows take turns: a sum that is read just after its neighbour in
// the same row was written would wait for it.
static void lead_to_map(const FieldPass& f, const FieldTile& tile, long channel, const float* windows) {
    const long step = f.p.stride[2];
    for (long j = 0; j < f.p.kernel[2]; ++j)
        for (long i = 0; i < f.p.kernel[1]; ++i)
            for (const Piece& piece : tile.rows) {
                const float* from = windows + (i * f.p.kernel[2] + j) * tile.width + piece.at;
                float* to = f.to_x + pixel_at(f, piece, channel, i, j);
                if (step == 1) add(from, piece.count, to);
                for (long n = 0; step > 1 && n < piece.count; ++n) to[n * step] += from[n];
            }
}

// out = rows of `inner` weights x [inner][width].
static void multiply_rows(const float* weights, long rows, long inner, const float* columns, long width, float* out) {
    const int* places = identity(rows);
    clear(out, rows * width);
    multiply({weights, columns, inner, width, 0, out, false}, {kFirstTap, 1, places, places, static_cast<int>(rows)});
}

static inline Vector rectified(Vector v) { return v <= Vector{} ? Vector{} : v; }

// The features of a channel, before max(0, .) where that is not wanted.
static void make_features(const FieldPass& f, const FieldTile& tile, long channel, const float* windows, float* to) {
    const long taps = f.taps(), size = taps * tile.width;
    multiply_rows(f.kernels + channel * taps * (taps + 1), taps, taps + 1, windows, tile.width, to);
    for (long i = 0; f.rule != kStatistics && i < size; i += kLanes) store(to + i, rectified(load(to + i)));
}

// R rows times S rows: sums[r][s] += a[r] . b[s], lane by lane.
template <int R, int S>
static void dots_tile(const float* a, const float* b, long width, float* sums, long sums_step) {
    Vector t[R][S];
    for (int r = 0; r < R; ++r)
        for (int s = 0; s < S; ++s) t[r][s] = load(sums + r * sums_step + s * kLanes);
    for (long n = 0; n < width; n += kLanes) {
        Vector v[S];
        for (int s = 0; s < S; ++s) v[s] = load(b + s * width + n);
        for (int r = 0; r < R; ++r) {
            const Vector u = load(a + r * width + n);
            for (int s = 0; s < S; ++s) t[r][s] += u * v[s];
        }
    }
    for (int r = 0; r < R; ++r)
        for (int s = 0; s < S; ++s) store(sums + r * sums_step + s * kLanes, t[r][s]);
}

template <int R>
static void dots_rows(const float* a, const float* b, long b_rows, long width, float* sums) {
    const long step = b_rows * kLanes;
    for (long s = 0; s < b_rows; s += 3, b += 3 * width, sums += 3 * kLanes) {
        if (b_rows - s >= 3) dots_tile<R, 3>(a, b, width, sums, step);
        else if (b_rows - s == 2) dots_tile<R, 2>(a, b, width, sums, step);
        else dots_tile<R, 1>(a, b, width, sums, step);
    }
}

// sums is [a_rows][b_rows][kLanes].
static void add_dots(const float* a, long a_rows, const float* b, long b_rows, long width, float* sums) {
    for (long r = 0; r < a_rows; r += 3, a += 3 * width, sums += 3 * b_rows * kLanes) {
        if (a_rows - r >= 3) dots_rows<3>(a, b, b_rows, width, sums);
        else if (a_rows - r == 2) dots_rows<2>(a, b, b_rows, width, sums);
        else dots_rows<1>(a, b, b_rows, width, sums);
    }
}

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
