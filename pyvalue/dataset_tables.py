"""Datasets of Hugging Face as Arrow tables: rows in their order, class labels by name. Never imports ``datasets``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def is_dataset(source: Any) -> bool:
    """Whether it comes from ``datasets``: a Dataset, or a dict or stream of such."""
    return any(kind.__module__.split(".")[0] == "datasets" for kind in type(source).__mro__)


def dataset_as_arrow(source: Any) -> pa.Table:
    """The rows of a ``datasets.Dataset``, also of one that is a selection or was shuffled.

    Raises:
        TypeError: it is a dict of splits, a stream, or nothing of ``datasets``; the message says what to hand over.
    """
    import pyarrow as pa

    datasets = sys.modules.get("datasets")
    if datasets is None or not isinstance(source, datasets.Dataset):
        advice = ""
        if datasets is not None and isinstance(source, datasets.DatasetDict):
            advice = f"; choose a split, such as dataset[{next(iter(source), 'train')!r}]"
        elif is_dataset(source):
            advice = "; read it whole: datasets.Dataset.from_list(list(dataset))"
        raise TypeError(f"dataset: expected a datasets.Dataset, got {type(source).__name__}{advice}")
    # Reading source.data would pass over the order of a selection.
    table: pa.Table = source.with_format("arrow")[:]
    for position, name in enumerate(table.column_names):
        feature = source.features.get(name)
        if isinstance(feature, datasets.ClassLabel):
            codes = table.column(name).combine_chunks().cast(pa.int32())
            codes = pa.compute.if_else(pa.compute.less(codes, 0), None, codes)  # -1 stands for no label
            labels = pa.DictionaryArray.from_arrays(codes, pa.array(feature.names, pa.string()))
            table = table.set_column(position, name, labels)
    return table
