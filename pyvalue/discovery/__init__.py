"""From a matrix of responses to a causal graph between values."""
