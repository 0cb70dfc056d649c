// The kernels of one instruction set; compiled once for each, with that set's compiler flags.
#include "bands.h"
#include "cells.h"
#include "convolve.h"
#include "dense.h"
#include "field.h"
#include "fourier_gradient.h"
#include "gradient.h"
#include "pack.h"
#include "scores.h"
#include "tapwise.h"

#define DYNACONV_TEXT(x) #x
#define DYNACONV_NAME(x) DYNACONV_TEXT(x)

namespace dynaconv {
namespace DYNACONV_ISA {

extern const Kernels kernels;
const Kernels kernels = {DYNACONV_NAME(DYNACONV_ISA),
                         kLanes,
                         pack_item,
                         pack_cells_item,
                         convolve_item,
                         gradient_item,
                         dense_gradient_item,
                         cell_gradient_item,
                         tapwise_forward_item,
                         source_gradient_item,
                         weight_gradient_item,
                         field_forward_item,
                         field_greatest_item,
                         field_back_item,
                         wave_item,
                         spectrum_convolve_item,
                         spectrum_back_item,
                         wave_gradient_item,
                         band_forward_item,
                         band_backward_item,
                         score_item,
                         score_gradient_item};

}  // namespace DYNACONV_ISA
}  // namespace dynaconv
