"""What an audit hands back: findings, each with a verdict, its figures and one sentence. Computes nothing."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from pyvalue.atomic_files import write_json
from pyvalue.plotted import Plotted

if TYPE_CHECKING:
    from pyvalue.evaluation.label_permutation import LabelPermutation

Verdict = Literal["holds", "fails", "unclear", "not computable"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
# Of printed lines.
_WIDTH = 110


@dataclass(frozen=True)
class Finding:
    """One check of a study.

    Attributes:
        name: of the check.
        claim: what would have to be true.
        verdict: "holds"; "fails": the data speak against the claim; "unclear": they do not tell it from its null;
            "not computable": the study lacks what the check needs.
        figures: name -> number, text or list, JSON-able but for NaN.
        sentence: what was found, with its numbers.
    """

    name: str
    claim: str
    verdict: Verdict
    figures: Mapping[str, Any] = field(default_factory=dict)
    sentence: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict: expected one of {', '.join(VERDICTS)}, got {self.verdict!r}")

    def __str__(self) -> str:
        body = textwrap.fill(self.sentence, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
        return f"{self.name}: {self.verdict}\n{body}"


@dataclass(frozen=True)
class Audit(Plotted):
    """The findings of one study.

    Attributes:
        findings: in a fixed order.
        tables: name -> DataFrame: ``personas`` and ``baselines`` (contrast of every single one),
            ``values`` (variation), ``pairs`` (correlations), ``orders`` (graphs over other orders of columns); those
            that could be computed.
        nulls: name of a finding -> the test of its lift against permuted names; the same with ", as in the paper"
            -> that of its contrast.
        facts: what was audited, and with which options.
    """

    findings: tuple[Finding, ...]
    tables: Mapping[str, pd.DataFrame] = field(repr=False)
    nulls: Mapping[str, LabelPermutation] = field(repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Finding:
        """The finding of this name.

        Raises:
            KeyError: there is none; the message lists the names.
        """
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(f"no finding {name!r}; there are {', '.join(one.name for one in self.findings)}")

    def to_frame(self) -> pd.DataFrame:
        """One row a finding: ``name, claim, verdict, sentence``."""
        columns = ("name", "claim", "verdict", "sentence")
        return pd.DataFrame([[getattr(one, name) for name in columns] for one in self.findings], columns=list(columns))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; missing numbers are null."""
        return {
            "findings": [
                {
                    "name": one.name,
                    "claim": one.claim,
                    "verdict": one.verdict,
                    "figures": _plain(dict(one.figures)),
                    "sentence": one.sentence,
                }
                for one in self.findings
            ],
            "tables": {name: _plain(table.to_dict("records")) for name, table in self.tables.items()},
            "nulls": {
                name: _plain({"observed": one.observed, "p": one.p, "exact": one.exact, "permutations": len(one.null)})
                for name, one in self.nulls.items()
            },
            "facts": _plain(dict(self.facts)),
        }

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all.

        Raises:
            StoreError: the file cannot be written.
        """
        write_json(path, self.to_dict())
        return Path(path)

    def __str__(self) -> str:
        counts = ", ".join(
            f"{sum(one.verdict == verdict for one in self.findings)} {verdict}"
            for verdict in VERDICTS
            if any(one.verdict == verdict for one in self.findings)
        )
        where = ""
        if "held_out" in self.facts:
            shared = self.facts["shared_rows"]
            own = "the graph's own rows, which favours it"
            if self.facts["test"]:
                own = "held-out rows"
                if shared:
                    own = f"test rows of which {shared:,} of {self.facts['rows_judged']:,} are among the graph's own"
                own += ", which favours it" if not self.facts["held_out"] else ""
            where = f"; changes judged on {own}"
        return "\n".join([f"{len(self.findings)} checks: {counts}{where}", *map(str, self.findings)])

    def __repr__(self) -> str:
        return f"Audit({', '.join(f'{one.name}: {one.verdict}' for one in self.findings)})"


def counted(number: int, noun: str) -> str:
    """A number with its noun, of which the plural ends in s."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
