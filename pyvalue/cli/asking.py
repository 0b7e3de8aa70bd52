"""What measure and steer have in common: ask, keep the answers in a folder, and say what came back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyvalue.cli.printing import note, records, say, say_json

if TYPE_CHECKING:
    from pyvalue.models.edits import Edit
    from pyvalue.responses import Responses


def ask(
    model: Any,
    inventory: Any,
    personas: Sequence[Any],
    edits: Sequence[Edit] | Mapping[str, Sequence[Edit]],
    out: Path,
    *,
    engine: Any,
    design: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> Responses:
    """The answers, from the folder where they are in it already."""
    import pyvalue as pv

    if out.is_file():
        raise ValueError(f"out: expected a folder, which may be new, got the file {out}")
    asked: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    if engine != "local":
        asked["engine"] = engine
    given = {name: value for name, value in design.items() if value is not None}
    return pv.measure(model, inventory, personas, edits, folder=out, design=pv.Design(**given), **asked)


def tell(responses: Responses, out: Path, json: bool) -> None:
    """Print what was measured: mean scores of values, and what to object to."""
    quality = responses.quality()
    values = quality.values
    if json:
        say_json(
            {
                "folder": str(out),
                "answers": len(responses.table),
                "edits": list(responses.edits),
                "personas": list(responses.personas),
                "values": list(responses.values),
                "valid_share": responses.valid_share,
                "scores": records(responses.matrix().reset_index()),
                "quality": {"summary": quality.summary, "values": records(values)},
                "facts": responses.facts,
            }
        )
        return
    say(repr(responses))
    for (edit, persona), row in _means(responses):
        said = "  ".join(f"{value} {score:+.2f}" for value, score in row.items() if score == score)
        say(f"  {edit or 'no edit'} (mean of {persona}): {said}")
    note(f"quality: {quality.summary}")
    note(f"answers are in {out}")


def _means(responses: Responses) -> list[tuple[tuple[str, str], dict[str, float]]]:
    """Mean score of every value over the personas, one row an edit."""
    table = responses.matrix()
    found = []
    for edit, rows in table.groupby(level="edit", sort=False):
        count = f"{len(rows)} persona{'s' * (len(rows) != 1)}"
        found.append(((str(edit), count), {str(name): float(mean) for name, mean in rows.mean().items()}))
    return found
