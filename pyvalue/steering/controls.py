"""Random-feature controls: the same edit of another feature, of the same size. Chooses no edit and asks no model.

What an edit does beyond what any push of that size does is what is left when these are taken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch

from pyvalue.models.direction import Direction
from pyvalue.models.edits import Edit
from pyvalue.models.sae import SAE

#: A feature is like another where their sizes differ by at most this factor.
SIMILAR = 2.0


def random_controls(edit: Edit, n: int, seed: int = 0, *, exclude: Iterable[int] = ()) -> list[Edit]:
    """Edits like ``edit`` of other features, drawn at random.

    Operation, unit and positions stay. What is drawn, and what becomes of the strength:

    - ``add``: any feature of the SAE, its strength rescaled so that the residual changes by a vector of equal length;
    - ``set``, ``min``, ``max``, ``scale``, ``ablate``: a feature whose typical maximum (``sae.max_activations`` times
      the length of its decoder row) is within a factor of 2 of the edit's own; where nobody measured maxima, the
      length of the decoder row alone. The activation that ``set``, ``min`` and ``max`` ask for is rescaled to the same
      length in the residual; the factor of ``scale`` stays;
    - ``direction``: a direction of random Gaussian entries, of equal length. The strength stays.

    Features that never fired (a maximum of 0, where maxima are known) and decoder rows of zeros are not drawn.

    Args:
        edit: to control for.
        n: how many, all of different features.
        seed: of the draw, at least 0. The same seed gives one feature's edits the same controls at every strength,
            and a larger ``n`` goes on where a smaller one ended.
        exclude: features that are not to be drawn, beside the edit's own.

    Returns:
        ``n`` edits, named ``"control 1 of <label> (f<feature>)"`` and so on.

    Raises:
        TypeError: ``edit`` is no ``Edit``, or ``n`` or ``seed`` no integer.
        ValueError: ``n`` or ``seed`` is out of range, the SAE has too few features like the edit's own, or the edit
            has no feature (op ``splice``).
    """
    if not isinstance(edit, Edit):
        raise TypeError(f"edit must be an Edit, got {type(edit).__name__}.")
    _check_count("n", n, least=1)
    _check_count("seed", seed, least=0)
    if edit.op == "splice":
        raise ValueError("edit: op 'splice' changes no single feature, so that no other can control for it.")
    if edit.direction is not None:
        return [_turned(edit, i, direction) for i, direction in enumerate(_directions(edit.direction, n, seed))]
    return [_moved(edit, i, feature) for i, feature in enumerate(_draw([edit], n, seed, set(exclude)))]


def control_configurations(edits: Sequence[Edit], n: int, seed: int = 0) -> list[tuple[Edit, ...]]:
    """Controls of edits that are made together: every feature of theirs replaced by another of the same SAE.

    Edits of one feature stay edits of one feature, different features stay different, none is one of the edits' own.
    An op ``splice`` is kept as it is.

    Args:
        edits: at least one of them with a feature or direction.
        n: how many.
        seed: as in ``random_controls``.

    Raises:
        ValueError: as in ``random_controls``, or none of the edits has a feature or direction.
    """
    if all(edit.op == "splice" for edit in edits):
        raise ValueError("edits: op 'splice' alone changes no single feature, so that no other can control for it.")
    replaced: dict[int, list[Edit]] = {}
    taken = {(id(edit.sae), edit.feature) for edit in edits if edit.feature is not None}
    for group in _by_feature(edits):
        edit = edits[group[0]]
        if edit.direction is not None:
            turned = _directions(edit.direction, n, seed)
            replaced |= {i: [_turned(edits[i], k, direction) for k, direction in enumerate(turned)] for i in group}
            continue
        exclude = {feature for sae, feature in taken if sae == id(edit.sae) and feature is not None}
        features = _draw([edits[i] for i in group], n, seed, exclude)
        taken |= {(id(edit.sae), feature) for feature in features}
        replaced |= {i: [_moved(edits[i], k, feature) for k, feature in enumerate(features)] for i in group}
    return [tuple(replaced[i][k] if i in replaced else edit for i, edit in enumerate(edits)) for k in range(n)]


def _by_feature(edits: Sequence[Edit]) -> list[list[int]]:
    """Numbers of the edits that share a feature or a direction; those of op ``splice`` have none."""
    groups: dict[tuple[int, int | None], list[int]] = {}
    for i, edit in enumerate(edits):
        if edit.op != "splice":
            groups.setdefault((id(edit.direction or edit.sae), edit.feature), []).append(i)
    return list(groups.values())


def _draw(edits: Sequence[Edit], n: int, seed: int, exclude: set[int]) -> list[int]:
    """``n`` features that may stand in for the one that ``edits`` share."""
    sae, own = edits[0].sae, edits[0].feature
    assert sae is not None and own is not None
    fits = np.ones(sae.config.d_sae, dtype=bool)
    for edit in edits:
        fits &= _alike(edit, sae, own)
    if unknown := sorted(feature for feature in exclude if not 0 <= feature < sae.config.d_sae):
        raise ValueError(f"exclude must hold features from 0 to {sae.config.d_sae - 1}, got {unknown[0]}.")
    fits[[own, *exclude]] = False
    pool = np.flatnonzero(fits)
    if len(pool) < n:
        raise ValueError(
            f"n is {n}, but {sae!r} has only {len(pool)} other features that can control for {edits[0].label!r}; "
            "ask for fewer controls."
        )
    random = np.random.default_rng([seed, own])
    # A random order of all features, of which those that fit are taken: what is excluded changes nothing else.
    order = random.permutation(sae.config.d_sae)
    return [int(feature) for feature in order[fits[order]][:n]]


def _alike(edit: Edit, sae: SAE, own: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """(f,) whether a feature can stand in for ``own``."""
    length = _row_lengths(sae)
    maxima = None if sae.max_activations is None else sae.max_activations.double().cpu().numpy()
    usable = length > 0 if maxima is None else (length > 0) & (maxima > 0)
    if edit.op == "add":
        return np.asarray(usable)
    size = length if maxima is None else length * maxima
    return np.asarray(usable & (size <= SIMILAR * size[own]) & (size * SIMILAR >= size[own]))


def _row_lengths(sae: SAE) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(torch.linalg.vector_norm(sae.W_dec.float(), dim=1).double().cpu().numpy())


def _moved(edit: Edit, number: int, feature: int) -> Edit:
    """The edit at another feature."""
    strength = edit.strength
    if edit.op in ("add", "set", "min", "max") and strength is not None:
        strength *= _unit_length(edit, edit.feature) / _unit_length(edit, feature)
    return replace(edit, feature=feature, strength=strength, name=_name(edit, number, f"f{feature}"))


def _unit_length(edit: Edit, feature: int | None) -> float:
    """Length of the change that strength 1 adds, up to the scale that the SAE's normalisation gives all features."""
    assert edit.sae is not None and feature is not None
    if edit.unit in ("unit", "relative"):
        return 1.0
    length = float(edit.sae.W_dec[feature].double().norm())
    if edit.unit == "raw":
        return length
    assert edit.sae.max_activations is not None
    return length * float(edit.sae.max_activations[feature])


def _directions(direction: Direction, n: int, seed: int) -> list[Direction]:
    """Gaussian directions as long as ``direction``, at its place."""
    length = direction.vector.double().norm().cpu()
    found = []
    for number in range(n):
        random = np.random.default_rng([seed, int(direction.content_hash[:16], 16), number])
        vector = torch.from_numpy(random.standard_normal(direction.d_in))
        vector = (vector * (length / vector.norm())).float().to(direction.vector.device)
        found.append(Direction(vector, direction.hook, f"random {number + 1}"))
    return found


def _turned(edit: Edit, number: int, direction: Direction) -> Edit:
    """The edit along another direction."""
    return replace(edit, direction=direction, name=_name(edit, number, "random direction"))


def _name(edit: Edit, number: int, what: str) -> str:
    return f"control {number + 1} of {edit.label} ({what})"


def _check_count(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__} {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}.")
