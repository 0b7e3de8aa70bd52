"""What a study asks for, as values that cannot change. Reads no file and runs nothing.

Each class is a table of ``study.toml``, and each of its fields an entry of the same name (``raise`` and ``lower`` are
Python's words, so that the fields are called ``raise_values`` and ``lower_values``). Defaults are those of the
functions that the entries are handed to.
"""

# ruff: noqa: RUF009 (entries of the tables are immutable)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, get_args

from pyvalue.discovery.options import BACKENDS, COLLIDER_RULES, MISSING, SCHEMES, TESTS
from pyvalue.measurement.design import ORDERS
from pyvalue.measurement.persona_texts import ATTRIBUTES
from pyvalue.responses import Score
from pyvalue.studies import kinds
from pyvalue.studies.kinds import Place, SAESource, entry

#: of edits of features; ``pyvalue.models.edits`` has them too, and needs torch
EDIT_OPS = ("add", "set", "min", "max", "scale", "ablate", "splice")
EDIT_UNITS = ("raw", "unit", "max_act", "relative")
#: of seeds of numpy and of the C++ core
_SEED = kinds.whole(0, 2**63 - 1)
_SCORE = kinds.text(*get_args(Score))


@dataclass(frozen=True)
class ModelTable:
    """``[model]``: what is asked, as arguments of ``pyvalue.load_model``. A key is never among them."""

    #: of entries that are for models behind a server only
    REMOTE: ClassVar[tuple[str, ...]] = (
        "base_url", "concurrency", "timeout", "max_retries", "price", "requests_per_minute",
    )  # fmt: skip

    name: str = entry(kinds.text(), "", required=True)
    dtype: str | None = entry(kinds.text("float32", "bfloat16", "float16"))
    device: str | None = entry(kinds.text())
    base_url: str | None = entry(kinds.text())
    concurrency: int = entry(kinds.whole(1), 8)
    timeout: float = entry(kinds.number(above=0), 60.0)
    max_retries: int = entry(kinds.whole(0), 8)
    price: tuple[float, float] | None = entry(kinds.many(kinds.number(0), 2, 2))
    requests_per_minute: float | None = entry(kinds.number(above=0))


@dataclass(frozen=True)
class InventoryTable:
    """``[inventory]``: what is asked about, as arguments of ``load_inventory``, ``only`` and ``subset``."""

    name: str = entry(kinds.text(), "portrait")
    questionnaire: tuple[str, ...] | None = entry(kinds.one_or_many(kinds.text()))
    values: tuple[str, ...] | None = entry(kinds.many(kinds.text(), 1))
    per_value: int | None = entry(kinds.whole(1))
    content_free: int | None = entry(kinds.whole(0))
    seed: int = entry(_SEED, 0)


@dataclass(frozen=True)
class PersonasTable:
    """``[personas]``: who is asked; made, or read from a file."""

    #: of entries that are for personas that are made
    MADE: ClassVar[tuple[str, ...]] = ("count", "seed", "attributes", "text")

    count: int = entry(kinds.whole(0), 30)
    seed: int = entry(_SEED, 0)
    include_none: bool = entry(kinds.truth(), True)
    attributes: tuple[str, ...] | None = entry(kinds.many(kinds.text(*ATTRIBUTES), 1))
    text: str | None = entry(kinds.text())
    file: str | None = entry(kinds.text())
    key: str | None = entry(kinds.text())


@dataclass(frozen=True)
class DesignTable:
    """``[measure.design]``: see ``pyvalue.Design``."""

    wordings: int = entry(kinds.whole(1), 1)
    orders: tuple[str, ...] = entry(kinds.one_or_many(kinds.text(*ORDERS)), ("yes-no",))
    repeats: int = entry(kinds.whole(1), 1)
    fraction: float = entry(kinds.number(above=0, most=1), 1.0)
    seed: int = entry(_SEED, 0)


@dataclass(frozen=True)
class MeasureTable:
    """``[measure]``: how it is asked, as arguments of ``pyvalue.measure``."""

    #: of entries that are for written answers only
    WRITTEN: ClassVar[tuple[str, ...]] = ("temperature", "top_p", "max_new_tokens", "judge")

    mode: str = entry(kinds.text("score", "generate", "free"), "score")
    temperature: float = entry(kinds.number(0), 0.0)
    top_p: float = entry(kinds.number(above=0, most=1), 1.0)
    max_new_tokens: int | None = entry(kinds.whole(1))
    judge: str | None = entry(kinds.text())
    min_mass: float = entry(kinds.number(0, 1), 0.01)
    seed: int = entry(_SEED, 0)
    batch_size: int | None = entry(kinds.whole(1))
    max_cost: float | None = entry(kinds.number(0))
    design: DesignTable = field(default_factory=DesignTable)


@dataclass(frozen=True)
class KnowledgeTable:
    """``[discover.knowledge]``: see ``pyvalue.Knowledge``."""

    tiers: tuple[tuple[str, ...], ...] = entry(kinds.many(kinds.many(kinds.text(), 1)), ())
    forbidden: tuple[tuple[str, str], ...] = entry(kinds.many(kinds.many(kinds.text(), 2, 2)), ())
    required: tuple[tuple[str, str], ...] = entry(kinds.many(kinds.many(kinds.text(), 2, 2)), ())
    context: tuple[str, ...] = entry(kinds.many(kinds.text()), ())


@dataclass(frozen=True)
class DiscoverTable:
    """``[discover]``: how the graph is learnt, as arguments of ``pyvalue.discover``."""

    test: str = entry(kinds.text(*TESTS), "auto")
    alpha: float = entry(kinds.number(above=0, below=1), 0.05)
    backend: str = entry(kinds.text(*BACKENDS), "fast")
    max_depth: int | None = entry(kinds.whole(0))
    uc_rule: str = entry(kinds.text(*COLLIDER_RULES), "sepset")
    uc_priority: int = entry(kinds.whole(-1, 4), 2)
    missing: str = entry(kinds.text(*MISSING), "raise")
    on_degenerate: str = entry(kinds.text("exclude", "raise"), "exclude")
    bootstrap: int = entry(kinds.whole(0), 1000)
    scheme: str | None = entry(kinds.text(*SCHEMES))
    replicate_size: int | None = entry(kinds.whole(4))
    seed: int = entry(_SEED, 0)
    threads: int | None = entry(kinds.whole(1))
    knowledge: KnowledgeTable | None = None


@dataclass(frozen=True)
class PlanTable:
    """``[plan]``: what is to move, as arguments of ``pyvalue.plan``; with ``sae``, a pilot chooses an edit."""

    #: of entries that are for the pilot only
    PILOT: ClassVar[tuple[str, ...]] = ("pilot", "candidates", "strengths", "positions", "finalists", "side_items")

    raise_values: tuple[str, ...] = entry(kinds.many(kinds.text()), (), name="raise")
    lower_values: tuple[str, ...] = entry(kinds.many(kinds.text()), (), name="lower")
    keep: tuple[str, ...] = entry(kinds.many(kinds.text()), ())
    amount: float | None = entry(kinds.number(above=0))
    reach: float | None = entry(kinds.number(above=0))
    sae: SAESource | None = entry(kinds.sae())
    pilot: int = entry(kinds.whole(1), 4)
    candidates: int = entry(kinds.whole(1), 6)
    strengths: tuple[float, ...] = entry(kinds.many(kinds.nonzero(), 1), (0.8, -0.8))
    positions: Place | None = entry(kinds.positions())
    finalists: int = entry(kinds.whole(1), 3)
    side_items: int = entry(kinds.whole(1), 4)
    seed: int = entry(_SEED, 0)


@dataclass(frozen=True)
class SteerTable:
    """``[steer]``: who is asked again, under the plan's edits or those of ``[[edits]]``."""

    personas: int | None = entry(kinds.whole(1))
    sae: SAESource | None = entry(kinds.sae())


@dataclass(frozen=True)
class EditTable:
    """``[[edits]]``: an edit, as arguments of ``pyvalue.Edit``; those of one ``group`` are made together."""

    feature: int | None = entry(kinds.whole(0))
    op: str = entry(kinds.text(*EDIT_OPS), "", required=True)
    strength: float | None = entry(kinds.number())
    unit: str = entry(kinds.text(*EDIT_UNITS), "raw")
    positions: Place = entry(kinds.positions(), Place("all"))
    sae: SAESource | None = entry(kinds.sae())
    name: str | None = entry(kinds.text())
    group: str | None = entry(kinds.text())


@dataclass(frozen=True)
class EvaluateTable:
    """``[evaluate]``: predicted against measured, as arguments of ``pyvalue.evaluate``."""

    score: str = entry(_SCORE, "corrected")
    confidence: float = entry(kinds.number(above=0, below=1), 0.95)
    edit: str | None = entry(kinds.text())


@dataclass(frozen=True)
class AuditTable:
    """``[audit]``: what of it holds, as arguments of ``pyvalue.audit``."""

    focus: str | None = entry(kinds.text())
    baseline: str | None = entry(kinds.text())
    score: str = entry(_SCORE, "corrected")
    threshold: float | None = entry(kinds.number(0))
    permutations: int = entry(kinds.whole(1), 10_000)
    resamples: int = entry(kinds.whole(100), 1000)
    confidence: float = entry(kinds.number(above=0, below=1), 0.95)
    seed: int = entry(_SEED, 0)
    orders: int = entry(kinds.whole(0), 100)


@dataclass(frozen=True)
class ReportTable:
    """``[report]``: the page."""

    title: str | None = entry(kinds.text())
    reference: str | None = entry(kinds.text())


@dataclass(frozen=True)
class EngineTable:
    """``[engine]``: where the work runs; see ``pyvalue.engines.RayEngine``. It decides no number."""

    #: of entries that are for Ray only
    RAY: ClassVar[tuple[str, ...]] = ("address", "workers", "cpus", "gpus")

    kind: str = entry(kinds.text("local", "ray"), "local")
    address: str | None = entry(kinds.text())
    workers: int | None = entry(kinds.whole(1))
    cpus: float = entry(kinds.number(above=0), 1.0)
    gpus: float | None = entry(kinds.number(0))


#: name -> class of the tables that a study may have
TABLES: Mapping[str, type] = {
    "model": ModelTable,
    "inventory": InventoryTable,
    "personas": PersonasTable,
    "measure": MeasureTable,
    "discover": DiscoverTable,
    "plan": PlanTable,
    "steer": SteerTable,
    "edits": EditTable,
    "evaluate": EvaluateTable,
    "audit": AuditTable,
    "report": ReportTable,
    "engine": EngineTable,
}
#: tables within tables
INNER: Mapping[str, Mapping[str, type]] = {
    "measure": {"design": DesignTable},
    "discover": {"knowledge": KnowledgeTable},
}


@dataclass(frozen=True)
class Study:
    """A study; made by ``pyvalue.load_study``.

    Attributes:
        model: what is asked.
        inventory: what it is asked about.
        personas: who it is to be.
        measure: how it is asked.
        discover: how the graph is learnt; None for no graph. The same holds for the next ones.
        plan: what is to move.
        steer: who is asked again; None where nobody is, or as ``edits`` says.
        edits: that are made, where no plan chooses one.
        evaluate: predicted against measured.
        audit: what of it holds.
        report: the page.
        engine: where the work runs.
        path: of the file; None for a text.
        folder: that relative paths in the study start from.
        text: of the file.
        document: what ``tomllib`` read of it.
    """

    model: ModelTable
    inventory: InventoryTable = InventoryTable()
    personas: PersonasTable = PersonasTable()
    measure: MeasureTable = MeasureTable()
    discover: DiscoverTable | None = None
    plan: PlanTable | None = None
    steer: SteerTable | None = None
    edits: tuple[EditTable, ...] = ()
    evaluate: EvaluateTable | None = None
    audit: AuditTable | None = None
    report: ReportTable | None = None
    engine: EngineTable = EngineTable()
    path: Path | None = field(default=None, compare=False)
    folder: Path = field(default=Path(), compare=False, repr=False)
    text: str = field(default="", compare=False, repr=False)
    document: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def steers(self) -> bool:
        """Whether questions are asked again under edits."""
        return bool(self.edits) or self.steer is not None

    @property
    def stages(self) -> tuple[str, ...]:
        """What the study asks for, in the order in which it is made."""
        asked = {
            "measure": True,
            "discover": self.discover is not None,
            "plan": self.plan is not None,
            "steer": self.steers,
            "evaluate": self.evaluate is not None,
            "audit": self.audit is not None,
            "report": self.report is not None,
        }
        return tuple(stage for stage, wanted in asked.items() if wanted)

    def resolve(self, name: str) -> str:
        """A path of the study as one that can be opened from here."""
        return str(self.folder / Path(name).expanduser())
