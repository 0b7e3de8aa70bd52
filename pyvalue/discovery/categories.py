"""Texts and categoricals as integer codes. Numbers that came as text are an error, not a category each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue.discovery.source import Column, row_label

# 12, -1.5, .5, 2e-3; with a decimal comma; with thousands apart.
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+|\d{1,3}([.,' ]\d{3})+([.,]\d+)?)([eE][+-]?\d+)?")

# A column with more numbers than this among its texts is a column of numbers with an accident in it.
_MOSTLY = 0.9


def encode(codes: NDArray[Any], labels: Sequence[Any], ordered: bool) -> Column:
    """Codes of the labels that occur: in the given order if that means something, else sorted by text.

    Sorted, because the order in which texts turn up depends on the order of the rows.

    Args:
        codes: (n,) positions in ``labels``, -1 for missing.
        labels: of any type; a None among them means missing.
        ordered: whether their order means something.
    """
    present = np.unique(codes[codes >= 0])
    texts = {int(code): str(labels[code]) for code in present if labels[code] is not None}
    levels = tuple(dict.fromkeys(texts.values() if ordered else sorted(texts.values())))
    position = {text: code for code, text in enumerate(levels)}
    renamed = np.full(len(labels) + 1, -1, np.int32)  # the last is what -1 finds
    renamed[list(texts)] = [position[text] for text in texts.values()]
    return renamed[codes], levels


def places(codes: NDArray[Any]) -> Column:
    """An ordered categorical as numbers: the place of each entry in the order, from 0; missing ones NaN."""
    if (codes >= 0).all():
        return codes.astype(np.int32), None
    return np.where(codes >= 0, codes, np.nan), None


def encode_texts(name: str, codes: NDArray[Any], texts: Sequence[Any], rows: Sequence[Any] | None) -> Column:
    """Codes of a column of texts, levels sorted.

    Args:
        name: of the column, for the error.
        codes: (n,) positions in ``texts``, -1 for missing.
        texts: the distinct texts.
        rows: labels of the rows, for the error.

    Raises:
        ValueError: more than 90% of the entries look like numbers.
    """
    looks = np.array([bool(_NUMBER.fullmatch(str(text).strip())) for text in texts], dtype=bool)
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    numbers, total = int(counts[looks].sum()), int(counts.sum())
    if numbers > _MOSTLY * total:
        if numbers < total:
            row = int(np.argmax(~looks[codes] & (codes >= 0)))
            raise ValueError(
                f"column {name!r} looks like numbers in {numbers} of {total} entries, but row {row_label(rows, row)!r} "
                f"holds {str(texts[codes[row]])!r}; correct it, or make it missing (an empty cell)"
            )
        row = int(np.argmax(codes >= 0))
        raise ValueError(
            f"column {name!r} holds numbers written as text, such as {str(texts[codes[row]])!r} in row "
            f"{row_label(rows, row)!r}; convert them to numbers, or to a categorical if they only name categories"
        )
    return encode(codes, texts, ordered=False)
