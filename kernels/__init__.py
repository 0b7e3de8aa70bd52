"""Triton kernels that steer a residual stream, each beside its plain-torch reference. Ships as ``pyvalue.kernels``."""
