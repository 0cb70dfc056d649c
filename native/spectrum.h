// What the passes over kernels kept as spectra work on. A kernel is a matrix of rows O·k1 and columns I·k2, and its
// spectrum has columns / 2 + 1 waves. L is the number of lanes of a register; what is in tiles is filled up with zeros.
// A block of rows holds L outputs side by side, at one of the kernel's k1 rows, as convolutions want them.
#pragma once
#include <cstdint>

#include "passes.h"

namespace dynaconv {

constexpr long kMostWidth = 16;  // of kernels

// Field by field as in src/dynaconv/native/fourier.py.
struct SpectrumProblem {
    int64_t spectra, gates, outputs, inputs, height, width;
    int64_t rank, local_rank;  // of the two factors; 0 where there is none
    int64_t threads;

    long rows() const { return outputs * height; }
    long columns() const { return inputs * width; }
    long waves() const { return columns() / 2 + 1; }
    long padded_rows() const { return padded_columns(outputs) * height; }
    long column_blocks() const { return ceil_div(outputs, kColumnBlock); }
};

// A discrete Fourier transform of n = first x second points, each part by stages of small radices. Roots and twiddles are
// pairs of a real and an imaginary part.
struct Transform {
    static constexpr int kMostStages = 32;

    struct Part {
        long points;
        int stages;
        int radices[kMostStages];
        const float* roots;  // e^(-2 pi i k / points)
    };

    Part first, second;
    const float* twiddles;  // [first][second]: e^(-2 pi i j k / points)
};

// The gates of L frequencies, of one row of a tile of waves: two of them, or, where `low` is above `high`, more.
struct GateRow {
    static constexpr long kHead = 2;
    static long numbers(long lanes) { return kHead + lanes; }  // low, high, and the gate of every lane
};

struct SpectrumPass {
    SpectrumProblem problem;
    long samples, lanes;
    Transform by_row, by_column;   // of `rows` points, and of half of `columns`, pairs of real numbers
    const float* real_roots;       // e^(-2 pi i k / columns), k up to half of the waves
    const float* tiles;            // [spectra][tile of waves][row][2][L], the inverse transforms' scale included
    const uint16_t* run_tiles;     // [tile of waves][row][GateRow]
    const float* gates;            // [samples][spectra][gates]
    const float* left;             // [samples][row][width][rank]
    const float* right;            // [samples][rank][inputs]
    const float* vectors;          // [row][width][local rank]
    const float* context;          // [samples][local rank][inputs]
    float* half;                   // [samples][row block][wave][2][L]; later [samples][row block][tile][row][2][L]
    Convolution forward;           // its maps and pixels; kernels are made on the way
    Convolution backward;          // for the gradient of the map, destination: [bands][samples][pixels][inputs], or nothing
    long bands;                    // of column blocks: a sample's items of the gradient
    float* tile_gradient;          // as tiles
    float* gate_parts;             // [tile][samples][spectra][gates]
    float* left_gradient;          // as left
    float* vector_parts;           // [samples][row][width][local rank]
    float* input_parts;            // [samples][band][rank + local rank][inputs]

    long row_blocks() const { return problem.padded_rows() / lanes; }
    long wave_tiles() const { return ceil_div(problem.waves(), lanes); }
    long half_floats() const { return row_blocks() * wave_tiles() * lanes * lanes * 2; }
    long tile_floats() const { return problem.rows() * lanes * 2; }
    long run_numbers() const { return problem.rows() * GateRow::numbers(lanes); }
    // The block of L outputs from `output` on, at the kernel's row `k`, and its first row; the others are `height` apart.
    long block_of(long output, long k) const { return output / lanes * problem.height + k; }
    long rows_in(long block) const { return least(lanes, problem.outputs - block / problem.height * lanes); }
    long first_row(long block) const { return block / problem.height * lanes * problem.height + block % problem.height; }
};

}  // namespace dynaconv
