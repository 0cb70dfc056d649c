// Which transforms there are, and the tables that they need.
#pragma once
#include <vector>

#include "spectrum.h"

namespace dynaconv {

// e^(-2 pi i k / n) as pairs, k below count.
std::vector<float> roots_of(long n, long count);

// Whether n has no prime factor above 13.
bool has_small_radices(long n);

// The transform of n points, from a cache.
const Transform& transform_of(long n);

}  // namespace dynaconv
