// Which instruction set's kernels run.
#pragma once
#include "passes.h"

namespace dynaconv {

// The kernels in use: the best that this processor runs, or those forced by name.
const Kernels& kernels();

// Null for the best; false where the name is unknown or the processor cannot run it.
bool force_kernels(const char* name);

}  // namespace dynaconv
