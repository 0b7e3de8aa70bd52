"""Edits that broke the model, found from scores alone: where answers that cannot be read were scored 0.

For tables of scores that keep no single answers. ``pyvalue.broken_edits`` looks at the answers themselves and is the
better judge where there are any. A model that answers everything with "unsure" looks the same as one that cannot be
read; from scores nobody can tell them apart. One that repeats the same answer is not found here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# The measured basis of the first two: in the public Gemma files of Kang et al. (2025), mean |score| under the 24 edits
# is .89 to 1.09 of that without one over 101 personas (train) and .89 to 1.05 over 26 (test); of single personas, 3,048
# rows, the smallest is .59. Of those unedited rows with every answer set to 0 with probability q, it is .73-.75 for
# q = .3, .55-.58 for .5, .46-.49 for .6, .36-.39 for .7 and .11-.12 for .93; and the share of scores that are exactly 0
# is higher by -.03-.03, .01-.07, .05-.11, .10-.17 and .51-.60. So an edit that leaves about three quarters of the
# answers or more unread is found, and one that leaves half of them is not.
#: mean |score| under an edit over that without one, below which scores have collapsed
MAX_SCALE_RATIO = 0.5
#: and the share of scores of exactly 0 that the edit must add: a model that is merely less sure adds few
MIN_ADDED_ZEROS = 0.1
#: or the share of missing scores that an edit adds; one is missing where under half of its questions were answered
MAX_ADDED_MISSING = 0.5


def broken_rows(rows: pd.DataFrame) -> dict[str, str]:
    """Edits under which the scores collapse to 0 or go missing, with the reason in words.

    An edit's rows are compared with the unedited rows of the same personas, of the other personas where there are none
    in common. It is broken where mean |score| falls below ``MAX_SCALE_RATIO`` of that without an edit and at least
    ``MIN_ADDED_ZEROS`` more of the scores are exactly 0; or where more than ``MAX_ADDED_MISSING`` more are missing.

    Args:
        rows: (edit, persona) by values, as ``pyvalue.wide_scores.score_rows`` gives; NaN where a score is missing.

    Returns:
        Label of the edit -> reason, in order of the rows. Empty where there are no unedited rows: there is nothing to
        compare with.

    Raises:
        ValueError: the index of ``rows`` has no levels ``edit`` and ``persona``.
    """
    if not {"edit", "persona"} <= set(rows.index.names):
        raise ValueError(f"rows: expected index levels edit and persona, got {list(rows.index.names)}; use score_rows")
    edits, personas = (rows.index.get_level_values(level) for level in ("edit", "persona"))
    scores = rows.to_numpy(dtype=float)
    plain = np.asarray(edits == "")
    if not plain.any():
        return {}
    reasons = {}
    for edit in dict.fromkeys(edits[~plain]):
        own = np.asarray(edits == edit)
        same = plain & np.asarray(personas.isin(personas[own]))
        reason = _reason(scores[same if same.any() else plain], scores[own])
        if reason:
            reasons[str(edit)] = reason
    return reasons


def _reason(before: np.ndarray, after: np.ndarray) -> str:
    missing, missing_before = (float(np.isnan(scores).mean()) for scores in (after, before))
    if missing - missing_before > MAX_ADDED_MISSING:
        return f"{missing:.0%} of its scores are missing, {missing_before:.0%} without an edit"
    after, before = (scores[np.isfinite(scores)] for scores in (after, before))
    if not len(after) or not len(before):
        return ""
    scale, scale_before = (float(np.abs(scores).mean()) for scores in (after, before))
    zeros, zeros_before = (float((scores == 0).mean()) for scores in (after, before))
    if scale >= MAX_SCALE_RATIO * scale_before or zeros - zeros_before < MIN_ADDED_ZEROS:
        return ""
    return (
        f"mean |score| is {scale / scale_before:.2f} of that without an edit (less than {MAX_SCALE_RATIO:g}), and "
        f"{zeros:.0%} of its scores are exactly 0, {zeros_before:.0%} without one: most answers were likely unreadable"
    )
