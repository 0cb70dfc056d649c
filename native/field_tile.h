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
    long pixel;  // under the first column and the first tap: where it stands in the maps of a tile's first channel
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
    Piece whole;           // all, for what does not depend on the position
};

// The tile's columns in pieces that end where a line of `line` positions does.
static Pieces cut(const FieldPass& f, const FieldTile& tile, long line, Piece* to) {
    long count = 0;
    for (long at = 0; at < tile.count; ++count) {
        const long column = tile.first + at, position = column % f.p.out_pixels();
        const long length = least(line - position % line, tile.count - at);
        const long sample = column / f.p.out_pixels();
        const long y = position / f.p.out_size[2], x = position % f.p.out_size[2];
        const long pixel = sample * f.channels() * f.map_size() + y * f.p.stride[1] * f.p.in_size[2] + x * f.p.stride[2];
        to[count] = {at, length, sample, y, x, pixel};
        at += length;
    }
    return {to, count};
}

// Tiles that follow one another.
struct TileRun {
    FieldTile all[FieldPass::kTilesTogether];
    long count;
    const FieldTile* begin() const { return all; }
    const FieldTile* end() const { return all + count; }
};

static TileRun tile_run(const FieldPass& f, long index) {
    TileRun run{};
    const long columns = f.tile_columns(), start = index * f.kTilesTogether;
    run.count = least(f.kTilesTogether, f.tiles() - start);
    auto* all = reinterpret_cast<Piece*>(scratch(kSmall, 2 * run.count * columns * (sizeof(Piece) / sizeof(float))));
    for (long n = 0; n < run.count; ++n, all += 2 * columns) {
        FieldTile& tile = run.all[n];
        tile.first = (start + n) * columns;
        tile.count = least(columns, f.columns() - tile.first);
        tile.width = ceil_div(tile.count, kColumnUnit) * kColumnUnit;
        tile.whole.count = tile.count;
        tile.rows = cut(f, tile, f.p.out_size[2], all);
        tile.samples = cut(f, tile, f.p.out_pixels(), all + columns);
    }
    return run;
}

// Rows of small maps are shorter than a long register.
typedef float Quad __attribute__((vector_size(16), aligned(4), may_alias));

static inline Quad& quad(float* p) { return *reinterpret_cast<Quad*>(p); }
static inline const Quad& quad(const float* p) { return *reinterpret_cast<const Quad*>(p); }

static inline void copy(const float* from, long count, float* to) {
    long i = 0;
    for (; i + kLanes <= count; i += kLanes) store(to + i, load(from + i));
    for (; i + 4 <= count; i += 4) quad(to + i) = quad(from + i);
    for (; i < count; ++i) to[i] = from[i];
}

static inline void add(const float* from, long count, float* to) {
    long i = 0;
    for (; i + kLanes <= count; i += kLanes) store(to + i, load(to + i) + load(from + i));
    for (; i + 4 <= count; i += 4) quad(to + i) += quad(from + i);
    for (; i < count; ++i) to[i] += from[i];
}

// How far the maps of a channel, and in them the pixel under a tap, are from Piece::pixel.
static inline long from_first(const FieldPass& f, long channel, long tap_row, long tap_column) {
    return channel * f.map_size() + tap_row * f.p.dilation[1] * f.p.in_size[2] + tap_column * f.p.dilation[2];
}

// The pixels under every tap, and a row of ones for the shift.
static void lay_out(const FieldPass& f, const FieldTile& tile, long channel, float* windows) {
    const long step = f.p.stride[2];
    float* row = windows;
    for (long i = 0; i < f.p.kernel[1]; ++i)
        for (long j = 0; j < f.p.kernel[2]; ++j, row += tile.width) {
            const float* x = f.x + from_first(f, channel, i, j);
            for (const Piece& piece : tile.rows) {
                const float* from = x + piece.pixel;
                float* to = row + piece.at;
                if (step == 1) copy(from, piece.count, to);
                else for (long n = 0; n < piece.count; ++n) to[n] = from[n * step];
            }
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
        for (long i = 0; i < f.p.kernel[1]; ++i) {
            const float* row = windows + (i * f.p.kernel[2] + j) * tile.width;
            float* x = f.to_x + from_first(f, channel, i, j);
            for (const Piece& piece : tile.rows) {
                const float* from = row + piece.at;
                float* to = x + piece.pixel;
                if (step == 1) add(from, piece.count, to);
                else for (long n = 0; n < piece.count; ++n) to[n * step] += from[n];
            }
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
