"""What edits changed, model by model and mode by mode: the studies that a report draws heat maps of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pyvalue.edit_changes import PairedChanges, paired_changes
from pyvalue.quality import Quality
from pyvalue.reporting.parts import Parts
from pyvalue.responses import Responses


@dataclass(frozen=True)
class EditStudy:
    """Changes of one model in one mode.

    Attributes:
        label: model and mode; empty where the report has no other study of edits.
        changes: under two edits or more, or those that were given.
        broken: edits under which the model no longer answers -> why; of none that were not measured here.
        why_none: why there are no changes to show; empty where there are.
    """

    label: str
    changes: PairedChanges | None = None
    broken: Mapping[str, str] = field(default_factory=dict)
    why_none: str = ""


def edit_studies(given: Parts, found: Sequence[Quality] = ()) -> tuple[EditStudy, ...]:
    """The changes that were given; else those of the answers, one study a model and mode with two edits or more.

    Args:
        given: parts of the report.
        found: quality of the same answers, which knows the edits that broke a model.
    """
    if given.changes is not None:
        broken = {edit: why for quality in found for edit, why in _broken(quality)}
        return (EditStudy("", given.changes, broken),)
    groups: dict[tuple[str, str], list[Responses]] = {}
    for one in given.responses:
        for (model, mode), table in one.table.groupby(["model", "mode"], sort=False):
            groups.setdefault((model, mode), []).append(Responses(table.reset_index(drop=True), one.facts))
    groups = {key: parts for key, parts in groups.items() if len({edit for p in parts for edit in p.edits if edit}) > 1}
    studies = []
    for (model, mode), parts in groups.items():
        label = f"{model}, {mode}" if len(groups) > 1 else ""
        own = [quality for quality in found if quality.facts["model"] == model]
        broken = {edit: why for quality in own for edit, why in _broken(quality, mode)}
        try:
            changes = paired_changes(Responses.concat(parts) if len(parts) > 1 else parts[0])
            studies.append(EditStudy(label, changes, broken))
        except ValueError as fault:  # answers that come twice, nobody with and without an edit
            studies.append(EditStudy(label, broken=broken, why_none=str(fault).partition(": ")[2] or str(fault)))
    return tuple(studies)


def _broken(quality: Quality, mode: str | None = None) -> Iterator[tuple[str, str]]:
    table = quality.edits[quality.edits["broken"]]
    for row in table.to_dict("records"):
        if mode is None or row["mode"] == mode:
            yield str(row["edit"]), str(row["reason"])
