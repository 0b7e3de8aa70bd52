"""Edits as they travel to other machines: with the columns of their SAE that they need, and no more.

An SAE whose features stand alone is cut down to those that are edited; one that ranks its features, or is spliced in,
goes whole. What the edits compute is the same bit for bit, since a feature's column and row are copied as they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from pyvalue.measurement.asking import Configuration
from pyvalue.models.edits import Edit
from pyvalue.models.sae import SAE
from pyvalue.models.stored_sae import tensor_shapes

_RANKING = ("topk", "abstopk")
#: the dimension of a tensor that counts features; what is not named has none
_OF_FEATURES = {"W_enc": 1, "b_enc": 0, "W_dec": 0, "threshold": 0, "r_mag": 0, "b_mag": 0}


@dataclass(frozen=True)
class PortableEdits:
    """Configurations whose weights are on the CPU for the way.

    Attributes:
        configurations: with such edits.
        devices: kind of device that each SAE was on, in the order in which the edits name them first.
    """

    configurations: tuple[Configuration, ...]
    devices: tuple[str, ...]

    def unpacked(self) -> tuple[Configuration, ...]:
        """The configurations, with each SAE on the kind of device where it was, if there is one here."""
        if set(self.devices) <= {"cpu"} or not torch.cuda.is_available():
            return self.configurations
        saes = _saes(self.configurations)
        moved = {sae: _moved(sae, device) for sae, device in zip(saes, self.devices, strict=True)}
        return _changed(self.configurations, lambda edit: edit if edit.sae is None else _with(edit, moved[edit.sae]))


def portable(configurations: Sequence[Configuration]) -> PortableEdits:
    """Configurations that another machine can make, from those that are here."""
    edits = [edit for configuration in configurations for edit in configuration.edits]
    numbers: dict[SAE, Mapping[int, int] | None] = {}
    for sae in _saes(configurations):
        mine = [edit.feature for edit in edits if edit.sae is sae]
        whole = sae.config.architecture in _RANKING or None in mine
        features = sorted({feature for feature in mine if feature is not None})
        numbers[sae] = None if whole else {feature: i for i, feature in enumerate(features)}
    cut = {sae: _moved(sae, "cpu", None if new is None else list(new)) for sae, new in numbers.items()}

    def packed(edit: Edit) -> Edit:
        if edit.direction is not None:
            return replace(edit, direction=replace(edit.direction, vector=edit.direction.vector.cpu()))
        assert edit.sae is not None
        new = numbers[edit.sae]
        return _with(edit, cut[edit.sae], edit.feature if new is None or edit.feature is None else new[edit.feature])

    return PortableEdits(_changed(configurations, packed), tuple(sae.W_dec.device.type for sae in cut))


def _saes(configurations: Sequence[Configuration]) -> list[SAE]:
    """Each once, in the order in which edits name them first."""
    edits = [edit for configuration in configurations for edit in configuration.edits]
    return list(dict.fromkeys(edit.sae for edit in edits if edit.sae is not None))


def _moved(sae: SAE, device: str, features: list[int] | None = None) -> SAE:
    """A copy elsewhere, of some features or all."""

    def copied(name: str, tensor: torch.Tensor) -> torch.Tensor:
        if features is None or name not in _OF_FEATURES:
            return tensor.detach().to(device)
        index = torch.tensor(features, device=tensor.device)
        return tensor.detach().index_select(_OF_FEATURES[name], index).to(device)

    tensors: dict[str, Any] = {name: copied(name, getattr(sae, name)) for name in tensor_shapes(sae.config)}
    maxima = sae.max_activations
    if maxima is not None:
        maxima = (maxima if features is None else maxima[features]).to(device)
    config = sae.config if features is None else replace(sae.config, d_sae=len(features))
    return SAE(config, **tensors, name=sae.name, max_activations=maxima)


def _changed(configurations: Sequence[Configuration], change: Callable[[Edit], Edit]) -> tuple[Configuration, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an edit warns of its strength when it is made, and these were made before
        return tuple(Configuration(each.label, tuple(map(change, each.edits))) for each in configurations)


def _with(edit: Edit, sae: SAE, feature: int | None = None) -> Edit:
    """An edit under its old label, of another SAE and, if it is of a feature, of another number there."""
    return replace(edit, sae=sae, feature=edit.feature if feature is None else feature, name=edit.label)
