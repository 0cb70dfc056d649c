// What the passes over kernels kept as spectra work on. A kernel is a matrix of rows O·k1 and columns I·k2, and its
// spectrum has columns / 2 + 1 waves. L is the number of lanes of a register; what is in tiles is filled up with zeros.
#pragma once
#include <cstdint>

#include "problem.h"

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

struct SpectrumPass {
    SpectrumProblem problem;
    long samples, lanes;
    Transform by_row, by_column;  // of `rows` points, and of half of `columns`, pairs of real numbers
    const float* real_roots;      // e^(-2 pi i k / columns), k up to half of the waves
    const float* tiles;           // [spectra][tile of waves][row][2][L], the inverse transforms' scale included
    const uint16_t* run_tiles;    // [tile of waves][row][L]: the gate of every frequency
    const float* gates;           // [samples][spectra][gates]
    const float* left;            // [samples][row][width][rank]
    const float* right;           // [samples][rank][inputs]
    const float* vectors;         // [row][width][local rank]
    const float* context;         // [samples][local rank][inputs]
    float* half;                  // [samples][row block][wave][2][L], or [samples][tile][row][2][L]
    float* matrix;                // [samples][row block][column][L] before all factors, or null
    float* weights;               // [samples][outputs][inputs][height][width]
    const float* gradient;        // as weights
    float* tile_gradient;         // as tiles
    float* gate_parts;            // [tile][samples][spectra][gates]
    float* left_gradient;         // as left
    float* vector_parts;          // [samples][row][width][local rank]
    float* input_parts;           // [samples][band][rank + local rank][inputs]
    long band_blocks;             // row blocks of a band

    long row_blocks() const { return ceil_div(problem.rows(), lanes); }
    long wave_tiles() const { return ceil_div(problem.waves(), lanes); }
    long bands() const { return ceil_div(row_blocks(), band_blocks); }
    long half_floats() const { return row_blocks() * wave_tiles() * lanes * lanes * 2; }
    long matrix_floats() const { return row_blocks() * problem.columns() * lanes; }
    long tile_floats() const { return problem.rows() * lanes * 2; }
};

}  // namespace dynaconv
