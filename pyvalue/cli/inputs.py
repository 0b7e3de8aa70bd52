"""What the options of commands name, read: models, inventories, personas, answers, engines. Asks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyvalue.engines import Engine
    from pyvalue.measurement.inventory import Inventory
    from pyvalue.measurement.personas import Persona
    from pyvalue.responses import Responses


def listed(told: str | None) -> list[str] | None:
    """``a, b`` as it is typed; None where nothing was."""
    return None if told is None else [name.strip() for name in told.split(",") if name.strip()]


def numbers(name: str, told: str) -> tuple[float, ...]:
    """``0.3,-0.3`` as it is typed."""
    try:
        found = tuple(float(part) for part in listed(told) or ())
    except ValueError:
        found = ()
    if not found:
        raise ValueError(f"{name}: expected numbers with commas between them, such as 0.3,-0.3, got {told!r}")
    return found


def json_output(path: Path | None) -> None:
    """Refuse a place for a result before the work for it begins."""
    if path is None:
        return
    if path.suffix != ".json":
        raise ValueError(f"output: expected a file that ends in .json, got {path}")
    if not path.parent.is_dir():
        raise ValueError(f"output: no such folder: {path.parent}; make it first")


def read_engine(engine: str, address: str | None, workers: int | None) -> Engine:
    """This process, or a Ray cluster."""
    from pyvalue.engines import RayEngine

    if engine == "ray":
        return RayEngine(address=address, workers=workers)
    if engine != "local":
        raise ValueError(f"engine: expected local or ray, got {engine!r}")
    if address is not None or workers is not None:
        raise ValueError("address, workers: they belong to a Ray cluster; add --engine ray, or leave them out")
    return "local"


def read_model(name: str, dtype: str | None, device: str | None, base_url: str | None, price: str | None = None) -> Any:
    """The model, or what asks one over the network; a key for that comes from the environment alone."""
    import pyvalue as pv

    remote: dict[str, Any] = {} if base_url is None else {"base_url": base_url}
    if price is not None:
        dollars = numbers("price", price)
        if len(dollars) != 2:
            raise ValueError(
                f"price: expected two numbers, of tokens read and written, such as 0.15,0.60, got {price!r}"
            )
        remote["price"] = dollars
    local = {key: value for key, value in (("dtype", dtype), ("device", device)) if value is not None}
    return pv.load_model(name, **local, **remote)


def read_inventory(name: str, questionnaire: Sequence[str] | None, items: int | None) -> Inventory:
    """The inventory, or a balanced part of it."""
    import pyvalue as pv

    whole = pv.load_inventory(name, questionnaire or None)
    return whole if items is None else whole.subset(items)


def read_personas(told: str, seed: int) -> tuple[Persona, ...]:
    """A number of made-up ones on top of no persona, or those of a file."""
    import pyvalue as pv

    if told.isdecimal():
        return tuple(pv.make_personas(int(told), seed=seed))
    if not Path(told).is_file():
        raise ValueError(
            f"personas: expected a number or a JSON file of {{name: text}}, got {told!r}, which is neither"
        )
    return pv.load_personas(told)


def read_responses(argument: str, path: Path) -> Responses:
    """Answers of a file or of the folder that measure made; of a run folder those without an edit."""
    import pyvalue as pv

    if not path.exists():
        raise ValueError(f"{argument}: no such file or folder: {path}; pyvalue measure makes one")
    if path.is_dir() and not holds_answers(path) and holds_answers(path / "base"):
        path = path / "base"
    return pv.Responses.load(path)


def holds_answers(folder: Path) -> bool:
    """Whether ``Responses.load`` would find answers in a folder."""
    return any(any(place.glob("part-*.parquet")) for place in (folder, folder / "responses"))
