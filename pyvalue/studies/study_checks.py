"""What of a study contradicts itself, or names what is not there. Every entry alone is of its kind by now."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable
from typing import Any

from pyvalue.discovery.options import bootstrap_options, search_options
from pyvalue.knowledge import Knowledge
from pyvalue.measurement.inventory import BUNDLED as INVENTORIES
from pyvalue.measurement.inventory import Inventory, load_inventory
from pyvalue.models.bundled import BUNDLED as MODELS
from pyvalue.models.remote import PREFIX
from pyvalue.studies.kinds import SAESource, shown
from pyvalue.studies.study import EngineTable, MeasureTable, ModelTable, PersonasTable, PlanTable, Study
from pyvalue.studies.study_errors import Faults, suggestion
from pyvalue.studies.toml_lines import KeyPath

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def check_study(study: Study, faults: Faults, with_files: bool = True) -> None:
    """Note every contradiction.

    Args:
        study: to check.
        faults: to add to.
        with_files: whether the files that it names must be there.
    """
    check = _Check(study, faults)
    check.model(with_files)
    check.personas(with_files)
    check.measure()
    inventory = check.inventory() if with_files else None
    check.discover()
    check.plan(inventory)
    check.steering()
    check.evaluate()
    check.engine()
    if with_files:
        check.files()


class _Check:
    def __init__(self, study: Study, faults: Faults) -> None:
        self._study, self._faults = study, faults
        self._remote = study.model.name.startswith(PREFIX)

    def given(self, *path: str) -> bool:
        """Whether the file has an entry, whatever it says."""
        content: Any = self._study.document
        for name in path:
            if not isinstance(content, dict) or name not in content:
                return False
            content = content[name]
        return True

    def refuse_given(self, table: str, names: Iterable[str], why: str) -> None:
        """A fault for each of the entries that the file has."""
        for name in names:
            if self.given(table, name):
                self._faults.add((table, name), why)

    def add(self, path: KeyPath, text: str) -> None:
        self._faults.add(path, text)

    def model(self, with_files: bool) -> None:
        name = self._study.model.name
        if self._remote:
            self.refuse_given(
                "model", ("dtype", "device"), f"is for models that run here, and {shown(name)} runs on a server"
            )
            if name == PREFIX:
                self.add(
                    ("model", "name"), f'expected "{PREFIX}" and what the server calls the model, got {shown(name)}'
                )
        else:
            self.refuse_given(
                "model", ModelTable.REMOTE, f'is for models behind a server, whose names begin with "{PREFIX}"'
            )
            if with_files and not self._is_model(name):
                near = suggestion(name, MODELS, '"{}"')
                self.add(
                    ("model", "name"),
                    f'expected a bundled name ({", ".join(MODELS)}), a folder, a Hugging Face id "owner/name" or '
                    f'"{PREFIX}NAME", got {shown(name)}{near}',
                )
        url = self._study.model.base_url
        if url is not None and (not url.startswith(("http://", "https://")) or "@" in url or "?" in url):
            told = "expected an address such as http://localhost:8000/v1, without user, password or query"
            self.add(("model", "base_url"), told)

    def _is_model(self, name: str) -> bool:
        local = os.path.isdir(self._study.resolve(name))  # False also for a name that is too long for a file
        return name.lower() in MODELS or local or bool(_HUB_NAME.fullmatch(name) and not name.startswith("."))

    def personas(self, with_files: bool) -> None:
        personas = self._study.personas
        if personas.file is None:
            self.refuse_given("personas", ("key",), "is for personas from a file; give file as well")
        else:
            self.refuse_given(
                "personas", PersonasTable.MADE, "is for personas that are made, and these are read from a file"
            )
            if with_files:
                self._check_file(("personas", "file"), personas.file, "a JSON file of personas")
        if personas.attributes is not None and personas.text is not None:
            self.add(("personas", "text"), "names its attributes in braces; leave out attributes")
        if personas.count == 0 and not personas.include_none and personas.file is None:
            self.add(("personas", "count"), "expected at least 1 without include_none, got 0: nobody would be asked")

    def measure(self) -> None:
        measure, design = self._study.measure, self._study.measure.design
        if measure.mode == "score":
            self.refuse_given(
                "measure",
                MeasureTable.WRITTEN,
                'is for written answers, and mode is "score", which reads probabilities',
            )
            if design.repeats > 1:
                told = (
                    f'expected 1 in mode "score", which gives the same probabilities every time, got {design.repeats}'
                )
                self.add(("measure", "design", "repeats"), told)
        else:
            self.refuse_given("measure", ("min_mass",), 'is for mode "score"')
            if design.repeats > 1 and measure.temperature == 0:
                told = "expected 1 at temperature 0, where every repeat is the same text; give measure.temperature"
                self.add(("measure", "design", "repeats"), f"{told}, got {design.repeats}")
        if measure.mode == "free" and measure.judge is None:
            self.add(
                ("measure", "judge"), 'expected a model that rates free answers, which mode "free" needs, got none'
            )
        judged = measure.judge is not None and measure.judge.startswith(PREFIX)
        if measure.max_cost is not None and not (self._remote or judged):
            self.add(("measure", "max_cost"), "is for models behind a server, and none is asked")
        if measure.max_cost is not None and self._remote and self._study.model.price is None:
            self.add(("measure", "max_cost"), "needs model.price, dollars per million tokens of prompts and of replies")

    def inventory(self) -> Inventory | None:
        """The inventory, where it can be had; its own faults are told at its table."""
        try:
            return built_inventory(self._study)
        except (ValueError, TypeError) as fault:
            argument, _, told = str(fault).partition(": ")
            known = argument in ("name", "questionnaire", "values", "per_value", "content_free")
            path: KeyPath = ("inventory", argument if known else "name")
            name = self._study.inventory.name
            if path[1] == "name" and not os.path.exists(self._study.resolve(name)):
                near = suggestion(name, INVENTORIES, '"{}"')
                expected = f"expected a bundled name ({', '.join(INVENTORIES)}) or a CSV or TOML file"
                self.add(path, f"{expected}, got {shown(name)}{near}")
                return None
            self.add(path, told if known else str(fault))
            return None

    def discover(self) -> None:
        discover = self._study.discover
        if discover is None:
            return
        try:
            bootstrap_options(discover.bootstrap, discover.scheme, discover.replicate_size, True, False, discover.seed)
            search_options(
                discover.test, discover.alpha, discover.backend, discover.max_depth, discover.uc_rule,
                discover.uc_priority, None, discover.missing, discover.on_degenerate, discover.threads,
            )  # fmt: skip
        except (ValueError, TypeError) as fault:
            name = re.split(r"\W", str(fault), maxsplit=1)[0]
            self.add(("discover", name) if self.given("discover", name) else ("discover",), str(fault))
        try:
            if discover.knowledge is not None:
                Knowledge(**vars(discover.knowledge))
        except (ValueError, TypeError) as fault:
            self.add(("discover", "knowledge"), str(fault))

    def plan(self, inventory: Inventory | None) -> None:
        plan = self._study.plan
        if plan is None:
            return
        if self._study.discover is None:
            self.add(("plan",), "needs [discover]: a plan is read off the graph")
        if not plan.raise_values and not plan.lower_values:
            self.add(("plan", "raise"), "expected at least one value to raise or lower, got none")
        for value in plan.raise_values:
            if value in plan.lower_values:
                self.add(("plan", "lower"), f"{shown(value)} cannot be raised and lowered at once")
        for value in plan.keep:
            if value in (*plan.raise_values, *plan.lower_values):
                self.add(("plan", "keep"), f"{shown(value)} cannot be steered and kept at once")
        lists = {"raise": plan.raise_values, "lower": plan.lower_values, "keep": plan.keep}
        for name, values in lists.items():
            known = values if inventory is None else inventory.values
            for value in values:
                if value not in known:
                    near = suggestion(value, known, '"{}"') or f"; it asks about {', '.join(known)}"
                    self.add(("plan", name), f"{shown(value)} is no value of the inventory{near}")
        if plan.sae is None:
            self.refuse_given("plan", PlanTable.PILOT, "is for the pilot that chooses an edit; give plan.sae as well")
        elif self._remote:
            told = f"cannot be used with {shown(self._study.model.name)}, whose residual stream is out of reach"
            self.add(("plan", "sae"), f"{told}; a remote model can only be steered by roles")

    def steering(self) -> None:
        study = self._study
        if study.edits and study.plan is not None and study.plan.sae is not None:
            self.add(("edits",), "contradicts plan.sae, with which the plan chooses the edits; leave out one of them")
        if study.steer is not None and not study.edits and (study.plan is None or study.plan.sae is None):
            self.add(("steer",), "needs edits: give [plan] with sae, whose pilot chooses one, or [[edits]]")
        if study.steer is not None and study.steer.sae is not None and not study.edits:
            self.add(("steer", "sae"), "is for [[edits]], and there are none; the plan's edits have plan.sae")
        if study.edits and self._remote:
            told = f"cannot be made in {shown(study.model.name)}, whose residual stream is out of reach"
            self.add(("edits",), told)
        most = study.personas.count + study.personas.include_none
        asked = None if study.steer is None else study.steer.personas
        if asked is not None and study.personas.file is None and asked > most:
            self.add(("steer", "personas"), f"expected at most the {most} that are measured, got {asked}")
        names: set[str] = set()
        for place, edit in enumerate(study.edits):
            path: KeyPath = ("edits", place)
            if edit.sae is None and (study.steer is None or study.steer.sae is None):
                self.add((*path, "sae"), 'expected "demo" or a folder, got none; give it here, or steer.sae for all')
            if (edit.feature is None) != (edit.op == "splice"):
                told = "is of the whole SAE, and takes no feature" if edit.op == "splice" else "needs a feature"
                self.add((*path, "op"), f"{shown(edit.op)} {told}")
            if edit.strength is None and edit.op not in ("ablate", "splice"):
                self.add((*path, "strength"), f"expected a number, which op {shown(edit.op)} needs, got none")
            if edit.strength is not None and edit.op == "ablate":
                self.add((*path, "strength"), 'op "ablate" takes none; use op "set"')
            if edit.name is not None and edit.group is None:
                if edit.name in names:
                    self.add(
                        (*path, "name"), f"{shown(edit.name)} occurs more than once; edits made together share a group"
                    )
                names.add(edit.name)
        groups = {edit.group for edit in study.edits if edit.group is not None}
        for both in sorted(groups & names):
            self.add(("edits",), f"{shown(both)} is the name of an edit and of a group")

    def evaluate(self) -> None:
        study = self._study
        if study.evaluate is None:
            return
        if study.plan is None:
            self.add(("evaluate",), "needs [plan], whose prediction is judged")
        if not study.steers:
            self.add(("evaluate",), "needs answers under edits: give [steer] or [[edits]]")
        labels = [edit.group if edit.group is not None else edit.name for edit in study.edits]
        several = len(dict.fromkeys(labels)) > 1 or labels.count(None) > 1
        if study.evaluate.edit is None and several:
            self.add(
                ("evaluate", "edit"), "expected the label of one of the edits, of which there are several, got none"
            )
        if study.evaluate.edit is not None and None not in labels and study.evaluate.edit not in labels and labels:
            near = suggestion(study.evaluate.edit, [one for one in labels if one], '"{}"')
            named = ", ".join(shown(one) for one in dict.fromkeys(labels))
            self.add(("evaluate", "edit"), f"expected one of {named}, got {shown(study.evaluate.edit)}{near}")

    def engine(self) -> None:
        if self._study.engine.kind == "local":
            self.refuse_given("engine", EngineTable.RAY, 'is for kind "ray", and kind is "local"')

    def files(self) -> None:
        study = self._study
        sources: list[tuple[KeyPath, SAESource | None]] = [
            (("plan", "sae"), study.plan.sae if study.plan else None),
            (("steer", "sae"), study.steer.sae if study.steer else None),
            *((("edits", place, "sae"), edit.sae) for place, edit in enumerate(study.edits)),
        ]
        for path, sae in sources:
            if (
                sae is not None
                and sae.source not in (None, "demo")
                and not os.path.exists(study.resolve(str(sae.source)))
            ):
                near = suggestion(str(sae.source), ("demo",), '"{}"')
                told = f'expected "demo" or a folder of an SAE, got {shown(sae.source)}, which is not there{near}'
                self.add(path, told)
        if study.report is not None and study.report.reference not in (None, "theory"):
            reference = str(study.report.reference)
            self._check_file(("report", "reference"), reference, '"theory" or a graph that discover wrote')

    def _check_file(self, path: KeyPath, name: str, what: str) -> None:
        if not os.path.isfile(self._study.resolve(name)):
            self.add(
                path, f"expected {what}, got {shown(name)}, which is no file (paths start from the study's folder)"
            )


def built_inventory(study: Study) -> Inventory:
    """The inventory of a study.

    Raises:
        ValueError: it cannot be had; the message begins with the argument.
    """
    table = study.inventory
    name = table.name if table.name in INVENTORIES else study.resolve(table.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # told when the study runs, in the quality of the answers
        inventory = load_inventory(name, table.questionnaire)
    if table.values is not None:
        inventory = inventory.only(table.values)
    if table.per_value is not None:
        return inventory.subset(table.per_value, table.content_free, table.seed)
    if table.content_free is not None:
        raise ValueError("content_free: expected per_value beside it, which draws a part of the inventory, got none")
    return inventory
