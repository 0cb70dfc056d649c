// What one pass works on, in plain data: filled by passes.cpp, run by the kernels of each instruction set.
#pragma once
#include "parallel.h"
#include "problem.h"
#include "tables.h"

namespace dynaconv {

// destination = source * (sum over experts of coefficient x bank), channels last on both sides.
struct Convolution {
    BankShape bank_shape;
    long samples;
    long source_pixels, source_channels;
    long destination_pixels, destination_channels;
    const float* source;             // [samples][source_pixels][source_channels]
    const float* bank;               // packed, see BankShape
    const float* coefficients;       // [samples][experts][taps]
    const float* source_scale;       // [samples][source_channels] or null
    const float* destination_scale;  // [samples][destination_channels] or null
    const float* bias;               // [samples][destination_channels] or null
    float* destination;              // [samples][destination_pixels][destination_channels]
    const float* partner;            // as destination, or null: dotted with the unscaled result into dots
    float* dots;                     // [blocks][samples][destination_channels]
    const BlockTable* blocks;
    long block_count, largest_source, largest_destination;
    long row_chunk;      // rows of the bank assembled at a time
    long sample_block;   // samples that one item works through while bank rows stay in cache
    long sample_group;   // samples assembled together, at most 4
    long most_taps;      // taps of the largest tap group
    long items() const {
        return bank_shape.groups * bank_shape.column_blocks() * block_count * ceil_div(samples, sample_block);
    }
};

// Gradients of the bank and of the coefficients. A slice is one block of pixels of one sample.
struct Gradient {
    BankShape bank_shape;
    long samples;
    long source_pixels, destination_pixels;
    long source_channels, destination_channels;
    const float* source;             // [samples][source_pixels][source_channels]
    const float* gradient;           // [samples][destination_pixels][destination_channels]
    const float* bank;               // packed
    const float* coefficients;       // [samples][experts][taps]
    const float* source_scale;       // [samples][source_channels] or null
    const float* destination_scale;  // [samples][destination_channels] or null
    float* bank_gradient;            // plain layout
    float* coefficient_parts;        // [items][samples][experts][taps]
    float* scale_parts;              // [groups][row ranges][samples][padded columns], or null
    const BlockTable* blocks;
    long block_count, largest_source, largest_destination;
    long row_range;      // rows of the bank that one item covers
    long slice_block;    // slices packed at a time
    long row_ranges() const { return ceil_div(bank_shape.rows, row_range); }
    long items() const { return bank_shape.groups * bank_shape.column_blocks() * row_ranges(); }
};

struct Kernels {
    const char* name;
    Body convolve;       // context: const Convolution*, index below items()
    Body bank_gradient;  // context: const Gradient*, index below items()
};

}  // namespace dynaconv
