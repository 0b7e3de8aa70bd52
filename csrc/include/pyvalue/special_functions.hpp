// Tail probabilities that the C++ library does not have.
#pragma once

namespace pyvalue {

// P(X > statistic) for X chi-squared with the given degrees of freedom (> 0, need not be whole).
double chi_squared_upper_tail(double statistic, double degrees_of_freedom);

}  // namespace pyvalue
