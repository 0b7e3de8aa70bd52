"""The seed of one row, made of what identifies it. Needs no torch, since remote models are told seeds, too."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def row_seed(*identity: Any) -> int:
    """A seed from 0 to 2^63 - 1 for what identifies a row, such as ``row_seed(0, "prompt 7", "f3 add 20", 1)``.

    Args:
        identity: JSON-able values.
    """
    text = json.dumps(identity, ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
