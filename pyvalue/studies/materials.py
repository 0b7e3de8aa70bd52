"""What a study works with: model, inventory, personas, SAEs and edits, loaded once and only when they are needed."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.persona_files import load_personas
from pyvalue.measurement.personas import NO_PERSONA, Persona, make_personas
from pyvalue.models.bundled import BUNDLED
from pyvalue.models.loading import LanguageModel, load_model
from pyvalue.models.remote import PREFIX, RemoteModel
from pyvalue.studies.kinds import Place, SAESource
from pyvalue.studies.study import EditTable, ModelTable, Study
from pyvalue.studies.study_checks import built_inventory

if TYPE_CHECKING:
    from pyvalue.models.edits import Edit
    from pyvalue.models.positions import Positions
    from pyvalue.models.sae import SAE


class Materials:
    """What the stages of one study share.

    Args:
        study: that asks for it.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._saes: dict[SAESource, SAE] = {}

    @cached_property
    def model(self) -> LanguageModel | RemoteModel:
        """The model that is asked."""
        return self._load_model(self._study.model.name)

    @cached_property
    def judge(self) -> LanguageModel | RemoteModel | None:
        """The model that judges; the one that is asked, where it has the same name."""
        name = self._study.measure.judge
        if name is None or name == self._study.model.name:
            return None if name is None else self.model
        return self._load_model(name, as_judge=True)

    @cached_property
    def inventory(self) -> Inventory:
        """The inventory, or the part of it that is asked."""
        return built_inventory(self._study)

    @property
    def people(self) -> tuple[Persona, ...]:
        """The personas that are measured."""
        return self._personas[0]

    @property
    def pilot_people(self) -> tuple[Persona, ...]:
        """The personas on whom candidate edits are tried, none of them among ``people``."""
        return self._personas[1]

    @property
    def again(self) -> tuple[Persona, ...]:
        """Those of ``people`` who are asked again under edits."""
        steer = self._study.steer
        return self.people[: None if steer is None else steer.personas]

    def sae(self, source: SAESource) -> SAE:
        """An SAE, loaded once."""
        from pyvalue.models.sae import load_sae

        if source not in self._saes:
            where = source.source
            if where not in (None, "demo"):
                where = self._study.resolve(str(where))
            self._saes[source] = load_sae(where, release=source.release, sae_id=source.sae_id, hook=source.hook)
        return self._saes[source]

    def given_edits(self) -> dict[str, list[Edit]]:
        """Label -> edits that are made together, of ``[[edits]]``.

        Raises:
            ValueError: two edits of one label.
        """
        found: dict[str, list[Edit]] = {}
        groups = {table.group for table in self._study.edits if table.group is not None}
        for table in self._study.edits:
            edit = self._edit(table)
            label = edit.label if table.group is None else table.group
            if label in found and label not in groups:
                raise ValueError(f"edits: {label!r} is the label of two edits; give them a name, or make them a group")
            found.setdefault(label, []).append(edit)
        return found

    @cached_property
    def _personas(self) -> tuple[tuple[Persona, ...], tuple[Persona, ...]]:
        """Those measured, and those of the pilot, who come after them."""
        table, plan = self._study.personas, self._study.plan
        pilot = plan.pilot if plan is not None and plan.sae is not None else 0
        if table.file is None:
            everyone = make_personas(
                table.count + pilot, table.seed, table.include_none, attributes=table.attributes, text=table.text
            )
        else:
            everyone = load_personas(self._study.resolve(table.file), table.key)
            if len(everyone) <= pilot:
                raise ValueError(
                    f"personas.file: expected more personas than the {pilot} of plan.pilot, got {len(everyone)}"
                )
            if table.include_none and NO_PERSONA.name not in {persona.name for persona in everyone}:
                everyone = (NO_PERSONA, *everyone)
        return everyone[: len(everyone) - pilot], everyone[len(everyone) - pilot :]

    def _load_model(self, name: str, as_judge: bool = False) -> LanguageModel | RemoteModel:
        table = self._study.model
        if name.startswith(PREFIX):
            options = {key: getattr(table, key) for key in ModelTable.REMOTE}
            if as_judge and not table.name.startswith(PREFIX):
                options = {}
            elif as_judge:
                options = {"base_url": table.base_url, "concurrency": table.concurrency, "timeout": table.timeout}
            remote: RemoteModel = load_model(name, **options)
            return remote
        local = Path(self._study.resolve(name))
        where = str(local) if name.lower() not in BUNDLED and local.is_dir() else name
        # Under its name as the study has it, a moved study goes on; what the model is, its fingerprint tells.
        return dataclasses.replace(load_model(where, dtype=table.dtype, device=table.device), name=name)

    def _edit(self, table: EditTable) -> Edit:
        from pyvalue.models.edits import Edit

        steer = self._study.steer
        source = table.sae or (None if steer is None else steer.sae)
        assert source is not None  # ``check_study`` saw to it
        given: dict[str, Any] = {
            "feature": table.feature,
            "op": table.op,
            "strength": table.strength,
            "unit": table.unit,
            "name": table.name,
        }
        return Edit(sae=self.sae(source), positions=as_positions(table.positions), **given)


def as_positions(place: Place) -> Positions:
    """A place of a study as an edit takes it."""
    from pyvalue.models.positions import indices, span

    if place.indices is not None:
        return indices(*place.indices)
    if place.span is not None:
        return span(place.span, place.occurrence)  # type: ignore[arg-type]
    return place.word  # type: ignore[return-value]


def arguments(table: Any, *left_out: str) -> dict[str, Any]:
    """The entries of a table as arguments of the function that they are for."""
    names = [one.name for one in dataclasses.fields(table) if one.name not in left_out]
    return {name: getattr(table, name) for name in names}
