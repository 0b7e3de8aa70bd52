"""Generate by transformers' continuous batching, every prompt with its own edits. Scores nothing, streams nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from pyvalue.errors import ModelError
from pyvalue.models.continuous_hook import ContinuousHook
from pyvalue.models.continuous_lists import RequestLists
from pyvalue.models.continuous_options import batching_config, cache_tokens, generation_config
from pyvalue.models.hook import ResidualEdits, Rows
from pyvalue.models.placement import place_prompts

if TYPE_CHECKING:
    from pyvalue.models.loading import LanguageModel


@dataclass(frozen=True)
class Continuation:
    """What a model wrote after a prompt.

    Attributes:
        text: without special tokens.
        token_ids: all of it, the end mark included.
        prompt_tokens: tokens of the prompt.
        finish_reason: ``"stop"`` at an end mark, ``"length"`` at ``max_new_tokens``.
    """

    text: str
    token_ids: tuple[int, ...]
    prompt_tokens: int
    finish_reason: Literal["stop", "length"]


def generate_batch(
    model: LanguageModel,
    prompts: Sequence[str],
    edits: Rows = (),
    *,
    max_new_tokens: int = 20,
    batching: Any = None,
    seed: int | None = None,
    **options: Any,
) -> list[Continuation]:
    """Continue rendered prompts by continuous batching: prompts enter and leave the batch as they come and finish.

    Every prompt is edited as it would be alone, however it is packed, cut into chunks, evicted under memory pressure
    or forked. Prompts share the cache of a common beginning only where its edits are the same too. (With a version of
    transformers whose sharing is unknown here, nothing is shared.) A prompt without edits is continued as by the
    unedited model; a packed batch may round differently than a prompt alone.

    Args:
        model: of a family whose attention transformers can page: Llama, Gemma, Qwen, Mistral, Phi, GPT-2, GPT-NeoX.
        prompts: texts with their special tokens written out, as a chat template renders them.
        edits: made in every prompt, or one sequence of edits a prompt.
        max_new_tokens: most tokens to write after a prompt.
        batching: a ``transformers.ContinuousBatchingConfig``; default one that suits the prompts and the device.
        seed: for sampling; default drawn from torch's generator. Samples depend on how prompts are packed.
        **options: of ``continuous_options.SAMPLING``, such as ``do_sample=True, temperature=0.7``; by default those of
            the model's ``generation_config``.

    Returns:
        One continuation a prompt, in their order; ``num_return_sequences`` of them, side by side, where that is given.

    Raises:
        ValueError: no prompts or an empty one, not one row of edits a prompt, a span that is not in its prompt, an
            unknown option, or a prompt that does not fit into the cache.
        ModelError: the model's attention cannot be paged, an edit did not run, or generation failed.
    """
    network = model.network
    ids = _token_ids(model, prompts)
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}.")
    config = generation_config(network, max_new_tokens, options)
    copies = config.num_return_sequences or 1
    needed = [len(row) + max_new_tokens for row in ids]
    settings = batching_config(batching, [n for n in needed for _ in range(copies)], model.device, seed)
    steer, requests = _place(model, ids, edits)
    with _manager(network, config, settings) as manager:
        _check_room(manager, ids, max_new_tokens)
        with steer, _steered(manager, steer, requests):
            found = _run(manager, ids, requests, copies, config)
    return [_continuation(model, output, config.eos_token_id) for output in found]


def _token_ids(model: LanguageModel, prompts: Sequence[str]) -> list[list[int]]:
    if isinstance(prompts, str) or not prompts:
        raise ValueError(f"prompts must be a non-empty sequence of texts, got {prompts!r}.")
    ids: list[list[int]] = model.tokenizer(list(prompts), add_special_tokens=False)["input_ids"]
    for i, row in enumerate(ids):
        if not row:
            raise ValueError(f"prompts must not be empty, but prompt {i} is {prompts[i]!r}; begin it with a BOS token.")
    return ids


def _place(model: LanguageModel, ids: list[list[int]], edits: Rows) -> tuple[ResidualEdits, RequestLists]:
    """The edits, with the tables of all lists that will come up, and where they act."""
    steer = ResidualEdits(model.network, edits, model.tokenizer)
    rows = steer.rows * len(ids) if steer.shared else steer.rows
    if len(rows) != len(ids):
        raise ValueError(f"edits has {len(rows)} rows, but there are {len(ids)} prompts; give one row a prompt.")
    padded = torch.zeros(len(ids), max(map(len, ids)), dtype=torch.long)
    mask = torch.zeros_like(padded)
    for i, row in enumerate(ids):
        padded[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    placement = place_prompts(padded, mask, rows, steer.edits, steer.lists, model.tokenizer)
    return steer, RequestLists.of([f"prompt {i}" for i in range(len(ids))], placement)


@contextlib.contextmanager
def _manager(network: Any, config: Any, settings: Any) -> Iterator[Any]:
    """A manager with its batch processor; afterwards the model has the attention that it had before."""
    if getattr(network, "_cached_continuous_batching_manager", None) is not None:
        raise ModelError(
            "the model keeps a continuous batching manager that knows of no edits; call "
            "model.network.destroy_cached_continuous_batching_manager() first."
        )
    # transformers asks the source of a model's class, and pages the attention of those that pass only. Others would
    # run without their cache and write nonsense.
    if not getattr(network, "_can_set_attn_implementation", lambda: True)():
        raise ModelError(_cannot_page(network, "its attention cannot be exchanged"))
    before = network.config._attn_implementation
    manager = None
    try:
        try:
            manager = network.init_continuous_batching(generation_config=config, continuous_batching_config=settings)
            # As transformers' own warm-up makes it; a manager goes on with the processor that it has.
            manager.batch_processor = manager._create_batch_processor()
        except (ValueError, AttributeError) as fault:
            raise ModelError(_cannot_page(network, " ".join(str(fault).split())[:200])) from fault
        _check_attention(network)
        yield manager
    finally:
        if manager is not None:
            manager.batch_processor = None
            manager.destroy()
        if network.config._attn_implementation != before:
            network.set_attn_implementation(before)


def _check_attention(network: Any) -> None:
    text = network.config.get_text_config()
    cap = getattr(text, "attn_logit_softcapping", None)
    if cap is not None and "flash" not in network.config._attn_implementation:
        raise ModelError(
            _cannot_page(network, f"attn_logit_softcapping {cap:g} is left out by paged attention without flash")
        )


def _cannot_page(network: Any, why: str) -> str:
    return (
        f"{type(network).__name__} ({network.config.model_type}) cannot run by continuous batching: {why}; use "
        "model.edit(...) with model.generate(...)."
    )


def _check_room(manager: Any, ids: list[list[int]], max_new_tokens: int) -> None:
    room = cache_tokens(manager.continuous_batching_config)
    for i, row in enumerate(ids):
        if len(row) + max_new_tokens > room:
            raise ValueError(
                f"prompt {i} has {len(row)} tokens, which with max_new_tokens {max_new_tokens} do not fit into a cache "
                f"of {room} tokens; shorten it, or give batching=ContinuousBatchingConfig(num_blocks=...) more blocks."
            )


@contextlib.contextmanager
def _steered(manager: Any, steer: ResidualEdits, requests: RequestLists) -> Iterator[None]:
    """The processor's passes read their lists of edits, also while graphs are captured."""
    if not steer.edits:
        yield
        return
    hook = ContinuousHook(manager.batch_processor, steer, requests)
    if steer.device.type == "cuda":
        torch.cuda.synchronize(steer.device)  # tables were filled on another stream than passes run on
    try:
        yield
    finally:
        hook.remove()


def _run(manager: Any, ids: list[list[int]], requests: RequestLists, copies: int, config: Any) -> list[Any]:
    """Outputs of all requests, those of one prompt side by side."""
    names = list(requests.prompts)
    wanted = [name if copy == 0 else f"{name}__child#{copy - 1}" for name in names for copy in range(copies)]
    found: dict[str, Any] = {}
    hard = True
    manager.warmup()
    manager.start()
    try:
        # Neighbours with a common beginning find its blocks in the cache.
        for i in sorted(range(len(ids)), key=lambda i: requests.salted(names[i], ids[i])):
            manager.add_request(
                ids[i], request_id=names[i], max_new_tokens=config.max_new_tokens, eos_token_id=config.eos_token_id
            )
        while len(found) < len(wanted):
            output = manager.get_result(timeout=1)
            if output is not None:
                found[output.request_id] = output
            elif not manager.is_running():
                break
        hard = False
    finally:
        manager.stop(hard_stop=hard)
    for name in wanted:
        output = found.get(name)
        if output is None or output.error is not None:
            why = "it never came back" if output is None else " ".join(output.error.split())
            raise ModelError(f"continuous batching failed at {name}: {why}")
    return [found[name] for name in wanted]


def _continuation(model: LanguageModel, output: Any, ends: Any) -> Continuation:
    ids = tuple(output.generated_tokens)
    marks = ends if isinstance(ends, list | tuple) else [ends]
    return Continuation(
        text=str(model.tokenizer.decode(list(ids), skip_special_tokens=True)),
        token_ids=ids,
        prompt_tokens=len(output.prompt_ids),
        finish_reason="stop" if ids and ids[-1] in marks else "length",
    )
