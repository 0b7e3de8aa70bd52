"""The texts of a sweep as a tidy table, one row a text: summarised, saved, loaded. Writes no text itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

from pyvalue.errors import StoreError
from pyvalue.file_faults import check_regular, file_faults
from pyvalue.json_files import read_json
from pyvalue.measurement.store import write_table
from pyvalue.plotted import Plotted

#: column -> meaning; the order of the columns
COLUMNS = {
    "prompt": "id of the prompt; where prompts were a sequence, the rendered text",
    "edit": "label of the edits, empty for none",
    "control": "whether the row is there for comparison: no edit, or a random feature",
    "control_of": "label of the edits that random features control for, else empty",
    "repeat": "0, 1, ... where a prompt is continued more than once",
    "seed": "what the row's sampling noise is drawn from",
    "text": "the continuation, without special tokens",
    "n_tokens": "tokens written, the one that ends the text included",
    "finished": "whether the model ended the text, rather than max_new_tokens",
    "log_probability": "mean log-probability of the tokens written, under the edited model at temperature 1",
    "repetition": "share of 3-grams of tokens that occurred before in the text; 0 where it has none",
}
_FORMATS = {
    "control": "bool",
    "repeat": "int32",
    "seed": "int64",
    "n_tokens": "int32",
    "finished": "bool",
    "log_probability": "float64",
    "repetition": "float64",
}
#: the folder of a run that holds the parts
TEXTS = "texts"
#: the column of a part that says where its rows belong
NUMBER = "number"


@dataclass(frozen=True, eq=False)
class SweepResult(Plotted):
    """Texts under every configuration of edits; do not change ``table`` in place.

    Attributes:
        table: the columns of ``pyvalue.steering.sweep_table.COLUMNS``, one row a text: by configuration, no edit
            first, then prompt, then repeat.
        facts: what made the texts (``"study"``: model, prompts, configurations, settings).
    """

    table: pd.DataFrame = field(repr=False)
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        missing = [name for name in COLUMNS if name not in self.table.columns]
        if missing:
            raise ValueError(
                f"table lacks the columns {', '.join(missing)}; expected {', '.join(COLUMNS)}, got "
                f"{', '.join(map(str, self.table.columns))}."
            )
        object.__setattr__(self, "table", formatted(self.table).reset_index(drop=True))

    @property
    def edits(self) -> tuple[str, ...]:
        """Labels of the configurations, in order; the empty one is no edit."""
        return tuple(dict.fromkeys(self.table["edit"]))

    @property
    def prompts(self) -> tuple[str, ...]:
        """Ids of the prompts, in order."""
        return tuple(dict.fromkeys(self.table["prompt"]))

    def texts(self, edit: str = "") -> list[str]:
        """Texts under one configuration, by prompt, then repeat.

        Args:
            edit: its label; default no edit.

        Raises:
            ValueError: no such configuration.
        """
        chosen = self.table["edit"] == edit
        if not chosen.any():
            raise ValueError(f"edit must be one of {', '.join(map(repr, self.edits))}, got {edit!r}.")
        return [str(text) for text in self.table.loc[chosen, "text"]]

    @property
    def wanted(self) -> int | None:
        """Texts of the whole sweep; more than there are where it was interrupted. None where that is not known."""
        study = self.facts.get("study", {})
        try:
            return len(study["prompts"]) * len(study["configurations"]) * int(study["repeats"])
        except KeyError:
            return None

    def summary(self, score: Callable[[str], float] | None = None) -> pd.DataFrame:
        """One row a configuration, by its label.

        Args:
            score: of a text, whatever the edit is to change (NaN where it has none): adds ``score`` (its mean),
                ``score_change`` (mean difference from no edit over the same prompts and repeats) and the ends
                ``score_low`` and ``score_high`` of its 95% interval over prompts (Student's t; NaN with one prompt);
                and with controls ``over_controls``, ``over_low``, ``over_high``: how much further than its controls on
                average an edit moves the score, prompt by prompt.

        Returns:
            Columns ``control``, ``control_of``, ``texts``; means over the texts ``n_tokens``, ``finished``,
            ``repetition``, ``log_probability``; then against no edit, over the same prompts and repeats: ``changed``
            (share of texts that differ), ``n_tokens_change``, ``finished_change``, ``repetition_change`` and
            ``log_probability_change`` (mean differences).
        """
        measures = ["n_tokens", "finished", "repetition", "log_probability"]
        numbers = self.table[measures].astype("float64")
        rows = self.table[["edit", "prompt", "repeat", "text"]].join(numbers)
        plain = rows[rows["edit"] == ""].drop(columns="edit")
        both = rows.merge(plain, on=["prompt", "repeat"], how="left", suffixes=("", "_plain"))
        known = both["text_plain"].notna()
        both["changed"] = (both["text"] != both["text_plain"]).astype("float64").where(known)
        for name in measures:
            both[f"{name}_change"] = both[name] - both[f"{name}_plain"]
        changes = ["changed", *(f"{name}_change" for name in measures)]
        means = both.groupby("edit", sort=False)[[*measures, *changes]].mean()
        facts = self.table.groupby("edit", sort=False).agg(
            control=("control", "first"), control_of=("control_of", "first"), texts=("text", "size")
        )
        found = facts.join(means)
        return found if score is None else found.join(self._scores(score))

    def _scores(self, score: Callable[[str], float]) -> pd.DataFrame:
        rows = self.table[["edit", "prompt", "repeat"]].assign(score=[float(score(t)) for t in self.table["text"]])
        plain = rows[rows["edit"] == ""].drop(columns="edit")
        both = rows.merge(plain, on=["prompt", "repeat"], suffixes=("", "_plain"))
        both["change"] = both["score"] - both["score_plain"]
        # Repeats of a prompt are alike: a prompt counts once.
        change = both.groupby(["edit", "prompt"], sort=False)["change"].mean()
        mean, low, high = _interval(change)
        scores = {"score": rows.groupby("edit", sort=False)["score"].mean()}
        scores |= {"score_change": mean, "score_low": low, "score_high": high}
        controls = self.table.groupby("edit", sort=False)["control_of"].first()
        if (controls != "").any():
            of_controls = change.reset_index().assign(edit=lambda found: found["edit"].map(controls))
            of_controls = of_controls[of_controls["edit"] != ""]  # what is left stands under what it controls for
            mean, low, high = _interval(change - of_controls.groupby(["edit", "prompt"])["change"].mean())
            scores |= {"over_controls": mean, "over_low": low, "over_high": high}
        return pd.DataFrame(scores)

    def save(self, path: str | Path) -> Path:
        """Write one Parquet file (to a temporary name, then renamed), the facts in its metadata.

        Raises:
            StoreError: it cannot be written.
        """
        table = self.table.copy()
        table.attrs = {"facts": json.dumps(self.facts)}
        write_table(path, table)
        return Path(path)

    def __repr__(self) -> str:
        controls = self.table.loc[self.table["control_of"] != "", "edit"].nunique()
        steered = self.table.loc[~self.table["control"], "edit"].nunique()
        wanted = self.wanted
        there = len(self.table)
        count = f"{there} texts" if wanted in (None, there) else f"{there} of {wanted} texts"
        return (
            f"SweepResult({count}: {len(self.prompts)} prompts x (no edit + {steered} edits + {controls} controls), "
            f"{self.table['finished'].mean():.0%} ended by themselves)"
        )


def _interval(values: pd.Series) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Mean over prompts of every configuration, and the ends of its 95% interval by Student's t; NaN counts nowhere."""
    groups = values.groupby(level="edit", sort=False)
    prompts, mean = groups.count(), groups.mean()
    reach = stats.t.ppf(0.975, (prompts - 1).where(prompts > 1)) * groups.std() / prompts**0.5
    return mean, mean - reach, mean + reach


@file_faults("texts", StoreError)
def load_sweep(path: str | Path) -> SweepResult:
    """Read what ``SweepResult.save`` wrote, or the texts so far in the folder of a sweep.

    Raises:
        StoreError: no such file, or not readable.
    """
    path = Path(path)
    if not path.is_dir():
        table = read_table(path)
        facts = json.loads(table.attrs.get("facts", "{}"))
        if not isinstance(facts, dict):
            raise StoreError(
                f"texts {path} cannot be read: its facts must be a JSON object, got {type(facts).__name__}"
            )
        return SweepResult(table, facts)
    parts = sorted((path / TEXTS).glob("part-*.parquet"))
    if not parts:
        raise StoreError(f"no texts in {path}; expected {TEXTS}/part-*.parquet, which a sweep writes.")
    try:
        study = read_json(path / "manifest.json", links=False)["study"]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise StoreError(f"manifest of {path} cannot be read ({fault}); it belongs to the texts.") from fault
    return SweepResult(join_parts([read_table(part, links=False) for part in parts]), {"study": study})


def read_table(path: Path, links: bool = True) -> pd.DataFrame:
    """One Parquet file, which may be a symbolic link to one only where ``links`` says so.

    Raises:
        StoreError: no such file, or damaged.
    """
    try:
        if not path.exists():
            raise StoreError(f"no such file or folder: {path}")
        check_regular(path, links)
        return pd.read_parquet(path)
    except StoreError:
        raise
    # pyarrow and pandas raise a dozen types over damaged metadata.
    except Exception as fault:
        raise StoreError(f"texts {path} cannot be read ({fault}); if damaged, delete it and sweep again") from fault


def join_parts(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all parts in the order of their numbers."""
    return pd.concat(parts, ignore_index=True).sort_values(NUMBER, ignore_index=True)


def formatted(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of ``COLUMNS``, in their order and number formats; texts are ``object``."""
    return table[list(COLUMNS)].astype({name: _FORMATS.get(name, "object") for name in COLUMNS})
