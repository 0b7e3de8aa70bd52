"""What a sparse autoencoder's settings say, in sae-lens' current layout and older ones. Reads no file, no weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pyvalue.errors import ModelError

ARCHITECTURES = ("standard", "jumprelu", "gated", "topk", "abstopk")
NORMALISATIONS = ("none", "layer_norm", "constant_norm_rescale")
UNFOLDED = "expected_average_only_in"
"""Normalisation by one factor that the settings do not hold; whoever reads the weights folds it into them."""

# sae-lens turns both into JumpReLU when training ends; its checkpoints still carry these names.
_TRAINED_AS = {"batchtopk": "jumprelu", "matryoshka_batchtopk": "jumprelu"}
_WHY_NOT = {
    "transcoder": "a transcoder reads one place and writes another, so it cannot edit the residual that it read",
    "crosscoder": "a crosscoder reads several layers at once, so it cannot edit the residual of one",
    "clt": "a cross-layer transcoder writes at other layers than it reads, so it cannot edit the residual that it read",
    "temporal": "a temporal SAE reads several tokens at once, so no token can be edited by itself",
    "matching_pursuit": "matching pursuit finds features one after another and has no encoder to read one with",
}

# Names that older sae-lens releases gave to what is now called otherwise.
_OLD_NAMES = {"hook_point": "hook_name", "activation_fn_str": "activation_fn"}
_RESIDUAL_HOOK = re.compile(r"blocks\.(\d+)\.hook_(resid_post|resid_pre)")
# SAEs trained on transformers' own models name the decoder layer instead, and read its output.
_LAYER_MODULE = re.compile(
    r"(?:model\.(?:language_model\.)?layers|transformer\.h|gpt_neox\.layers)\.(\d+)(?:\.output)?"
)


@dataclass(frozen=True)
class SAEConfig:
    """Shape, architecture and place of a sparse autoencoder.

    Attributes:
        architecture: one of ``ARCHITECTURES``; BatchTopK and Matryoshka SAEs are ``jumprelu``.
        d_in: width of the residual stream.
        d_sae: number of features.
        hook_name: where it reads, for example ``blocks.12.hook_resid_post``.
        apply_b_dec_to_input: whether the decoder bias is subtracted before encoding.
        normalize_activations: one of ``NORMALISATIONS``, or ``UNFOLDED`` as long as the weights are not read.
        k: active features of a ``topk`` or ``abstopk`` SAE, else None.
        rescale_acts_by_decoder_norm: as saved; whoever reads the weights folds the norms into them.
        model_name: the model that it was trained on, "" where the file does not say.
        metadata: the rest of the file, read-only.
    """

    architecture: str
    d_in: int
    d_sae: int
    hook_name: str = ""
    apply_b_dec_to_input: bool = True
    normalize_activations: str = "none"
    k: int | None = None
    rescale_acts_by_decoder_norm: bool = False
    model_name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def residual_hook(self) -> tuple[int, str]:
        """(layer, ``"resid_post"`` or ``"resid_pre"``) that the SAE reads.

        Raises:
            ModelError: the SAE does not read the residual stream between layers.
        """
        return parse_residual_hook(self.hook_name)


def parse_residual_hook(hook_name: str) -> tuple[int, str]:
    """(layer, ``"resid_post"`` or ``"resid_pre"``) of a hook name.

    Args:
        hook_name: TransformerLens' name, ``blocks.12.hook_resid_post``, or the decoder layer whose output is read,
            ``model.layers.12``.

    Raises:
        ModelError: the name is no place in the residual stream between layers.
    """
    found = _RESIDUAL_HOOK.fullmatch(hook_name)
    if found is not None:
        return int(found.group(1)), found.group(2)
    found = _LAYER_MODULE.fullmatch(hook_name)
    if found is not None:
        return int(found.group(1)), "resid_post"
    raise ModelError(
        f"hook_name is {hook_name!r}, expected blocks.L.hook_resid_post or blocks.L.hook_resid_pre: "
        "only SAEs of the residual stream can be edited. Where the file does not say it, pass "
        "load_sae(..., hook='blocks.L.hook_resid_post')."
    )


def parse_sae_config(raw: Mapping[str, Any], where: str) -> SAEConfig:
    """Settings as sae-lens writes them, checked.

    Args:
        raw: the JSON object of ``cfg.json``.
        where: file that they come from, for messages.

    Raises:
        ModelError: a width is missing, or the settings ask for what is not supported.
    """
    flat = {_OLD_NAMES.get(key, key): value for key, value in raw.items()}
    nested = flat.pop("metadata", None) or {}
    if not isinstance(nested, dict):
        raise ModelError(f"{where}: metadata must be an object, got {type(nested).__name__}.")
    # Current files keep the hook under "metadata", older ones at the top.
    metadata = {**flat, **nested}
    stored = _architecture(flat, where)
    architecture = _TRAINED_AS.get(stored, stored)
    config = SAEConfig(
        architecture=architecture,
        d_in=_width(flat.get("d_in"), "d_in", where),
        d_sae=_width(flat.get("d_sae"), "d_sae", where),
        hook_name=str(metadata.get("hook_name") or ""),
        apply_b_dec_to_input=bool(flat.get("apply_b_dec_to_input", True)),
        normalize_activations=_normalisation(flat.get("normalize_activations"), where),
        k=_width(_k(flat), "k", where) if architecture in ("topk", "abstopk") else None,
        rescale_acts_by_decoder_norm=(architecture in ("topk", "abstopk") or stored != architecture)
        and bool(flat.get("rescale_acts_by_decoder_norm", False)),
        model_name=str(metadata.get("model_name") or ""),
        metadata=MappingProxyType(metadata),
    )
    if flat.get("reshape_activations", "none") != "none" or config.hook_name.endswith("hook_z"):
        raise ModelError(f"{where}: an SAE of attention heads (hook_z) is not supported, only of the residual stream.")
    if config.k is not None and config.k > config.d_sae:
        raise ModelError(f"{where}: k is {config.k}, more than d_sae {config.d_sae}.")
    return config


def _architecture(flat: Mapping[str, Any], where: str) -> str:
    architecture = str(flat.get("architecture") or "standard")
    activation = flat.get("activation_fn", "relu")
    if activation not in ("relu", "topk"):
        raise ModelError(f"{where}: activation_fn {activation!r} is not supported, expected 'relu' or 'topk'.")
    if architecture == "standard" and activation == "topk":
        return "topk"
    if architecture in ARCHITECTURES or architecture in _TRAINED_AS:
        return architecture
    reason = next((f": {why}" for word, why in _WHY_NOT.items() if word in architecture), "")
    raise ModelError(
        f"{where}: architecture {architecture!r} is not supported{reason}. Expected one of {', '.join(ARCHITECTURES)}, "
        f"or of sae-lens' checkpoints {', '.join(_TRAINED_AS)}."
    )


def _k(flat: Mapping[str, Any]) -> object:
    arguments = flat.get("activation_fn_kwargs")
    return flat.get("k", arguments.get("k") if isinstance(arguments, dict) else None)


def _width(value: object, name: str, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelError(f"{where}: {name} must be a positive integer, got {value!r}.")
    return value


def _normalisation(value: object, where: str) -> str:
    # A flag in the oldest files; absent means none.
    if value is None or value is False:
        return "none"
    if value is True or value == UNFOLDED:
        return UNFOLDED
    if value == "covariance_whitening":
        raise ModelError(
            f"{where}: normalize_activations is 'covariance_whitening', whose matrices are not in the file, so that "
            "every activation would be wrong without a sign. Fold them first: in sae-lens "
            "sae.fold_activation_whitening(mean, matrix, inverse), then save."
        )
    if value not in NORMALISATIONS:
        raise ModelError(
            f"{where}: normalize_activations {value!r} is not supported, expected one of {', '.join(NORMALISATIONS)}."
        )
    return str(value)
