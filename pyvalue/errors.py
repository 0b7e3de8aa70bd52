"""Faults at run time. Bad arguments raise ``ValueError`` or ``TypeError`` instead."""


class PyvalueError(RuntimeError):
    """Base of every fault that pyvalue raises while it runs."""


class ModelError(PyvalueError):
    """A model, tokenizer or sparse autoencoder cannot be found, read, or used as asked."""


class StoreError(PyvalueError):
    """A run folder cannot be read, written, or belongs to another study."""


class NumericsError(PyvalueError):
    """The data admit no trustworthy result, for example a correlation matrix that is singular."""


class ClusterError(PyvalueError):
    """A Ray cluster cannot be started or reached, has no room for a worker, or a worker failed in an unknown way."""
