"""Faults at run time. Bad arguments raise ``ValueError`` or ``TypeError`` instead."""


class PyvalueError(RuntimeError):
    """Base of every fault that pyvalue raises while it runs."""


class ModelError(PyvalueError):
    """A model, tokenizer or sparse autoencoder cannot be found, read, or used as asked."""


class StoreError(PyvalueError):
    """A run folder cannot be read, written, or belongs to another study."""


class NumericsError(PyvalueError):
    """The data admit no trustworthy result, for example a correlation matrix that is singular."""
