"""Edit a Hugging Face model's residual stream inside a ``with`` block, every row of a batch its own way.

Decides before each forward pass which tokens name which list of edits (here, and in ``generate_hook`` for
``generate``), and writes it where the hooks read it (``edit_buffers``). Loads and asks no model.
"""

from __future__ import annotations

import inspect
import itertools
import threading
import warnings
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pyvalue.errors import ModelError
from pyvalue.models.edit_buffers import EditBuffers
from pyvalue.models.edit_lists import EditLists
from pyvalue.models.edits import Edit
from pyvalue.models.forward_pass import OTHER_CACHE, ForwardPass, mark_cache
from pyvalue.models.generate_hook import ALONE, GenerateHook, enter_block, leave_block
from pyvalue.models.placement import Placement, place_prompts, places_from_mask

Rows = Sequence[Edit] | Sequence[Sequence[Edit]]

# A number for every block ever entered: the id of an object comes again when the object has gone.
_blocks = itertools.count()


class ResidualEdits:
    """Makes edits in every forward pass while entered; leaves the model as it was.

    Edits at one place act jointly: all read the residual that arrives, then their changes are summed. In nested blocks
    the inner one edits what the outer one left. Rows without edits are bit-identical to the unedited model.

    ``generate`` of the model is followed from its first pass to its last: whole or chunked prefill, left padding,
    dynamic and static caches, compiled steps, beams and several sequences a prompt. A pass of the model itself on an
    empty cache begins new prompts, and later ones on their cache go on with generated tokens. Before a pass that you
    compiled yourself, call ``place``.

    Args:
        model: a ``transformers`` model of a family listed in ``pyvalue.models.hook_points``.
        edits: made together in every row, or one sequence of edits a row; none leaves the model untouched.
        tokenizer: of the model; needed for spans, and to leave special tokens alone.

    Raises:
        ModelError: the model's layers are not found, or an SAE does not fit its width or depth.
        TypeError: ``edits`` holds something else.
    """

    def __init__(self, model: nn.Module, edits: Rows, tokenizer: Any = None) -> None:
        model = getattr(model, "_orig_mod", model)  # a compiled model writes its attributes through to this one
        rows, self.shared = _as_rows(edits)
        numbers: dict[Edit, int] = {}
        self.rows = [tuple(numbers.setdefault(edit, len(numbers)) for edit in row) for row in rows]
        self.edits = tuple(numbers)
        self.lists = EditLists()
        self._buffers: EditBuffers | None = None
        if self.edits:
            self._buffers = EditBuffers(model, self.edits)
            self.lists = self._buffers.lists
        self._model = model
        self._tokenizer = tokenizer
        self._entered = False
        self._placement: Placement | None = None
        self._given: torch.Tensor | None = None
        self._placed: torch.Tensor | None = None
        self._prompts = 0
        self._block = -1
        self._reads = False
        self._ready: tuple[int, ...] | None = None
        self._generate: GenerateHook | None = None
        self._handles: list[Any] = []

    @property
    def hits(self) -> tuple[int, ...]:
        """For every edit, the number of tokens that it acted on, counted where it acts."""
        return self._buffers.hits if self._buffers else ()

    @property
    def asked(self) -> tuple[int, ...]:
        """For every edit, the number of tokens that it was to act on, counted where that is decided."""
        return self._buffers.asked if self._buffers else ()

    @property
    def device(self) -> torch.device:
        """Where the buffers are."""
        return self._buffers.token_list.device if self._buffers else torch.device("cpu")

    def check(self) -> None:
        """Make sure that every edit ran wherever it was to run since the block was entered.

        Raises:
            ModelError: it did not: a forward pass went around the hook, or nobody knew of it.
        """
        if self._buffers:
            self._buffers.check()

    def choose(self, edits: Rows) -> None:
        """Make other edits from the next prompts on, of those given at the start: nothing is compiled anew.

        Args:
            edits: as at the start.

        Raises:
            ValueError: an edit that was not among those given at the start.
        """
        rows, self.shared = _as_rows(edits)
        known = {edit: number for number, edit in enumerate(self.edits)}
        if unknown := [edit.label for row in rows for edit in row if edit not in known]:
            raise ValueError(f"edits: {unknown[0]!r} was not given at the start; give all edits there that may come.")
        self.rows = [tuple(known[edit] for edit in row) for row in rows]
        self._forget_prompts()

    def place(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> None:
        """Say which prompts come next, and prepare for their first pass.

        Needed only before a forward pass that you compiled; others find it out themselves.

        Args:
            input_ids: (b, s) token ids.
            attention_mask: (b, s), 0 at padding; default no padding.

        Raises:
            ValueError: a span or index is not in its prompt, or the rows are not those of the edits.
        """
        if self._buffers:
            mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
            self.begin(input_ids, mask)
            self.assign(*places_from_mask(mask, input_ids.shape[1], 0))
            self._placed = input_ids

    def begin(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> None:
        """Take new prompts (b, s), as ``place`` does, but prepare for no pass yet."""
        rows = self._rows_of(input_ids.shape[0])
        found = place_prompts(input_ids, attention_mask, rows, self.edits, self.lists, self._tokenizer)
        self._forget_prompts()
        self._placement = found.to(self.device)
        self._prompts += 1

    def assign(self, position: torch.Tensor, valid: torch.Tensor) -> None:
        """Prepare for a pass over tokens at these places of the prompts given last.

        Needed only before a step that you compiled.

        Args:
            position: (rows, s) long, position of each token in its row's text, padding not counted.
            valid: (rows, s) bool, false at padding.
        """
        if self._placement is None:
            raise ModelError(OTHER_CACHE)
        if self._buffers:
            if self._running:
                self._buffers.commit()  # the pass before this one: generate would have raised
            self._buffers.write(self._placement.lists(position.to(self.device), valid.to(self.device)))
        self._ready = tuple(position.shape)

    def end(self, failed: bool = False) -> None:
        """No pass is prepared any more: generation is over. Where it failed midway, counts begin anew."""
        self._ready = None
        if not self._buffers:
            return
        if failed:
            self._buffers.forget()
        else:
            self.check()

    def numbers(self, hit: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
        """Numbers (tokens,) of the lists of edits that act where ``hit`` says, for ``use``.

        Args:
            hit: (edits, tokens), a row for each of the edits given, in their order; they are the same for all rows of
                the batch.
        """
        if not self.shared:
            raise ValueError("numbers is for edits that all rows share, but every row was given its own.")
        return self.lists.numbers(self.rows[0], hit)

    def use(self, token_lists: torch.Tensor | None) -> None:
        """Let the next forward passes take these lists as they are, whatever their tokens.

        Args:
            token_lists: (b, s) int32 from ``numbers``, -1 where nothing is edited; None ends it.
        """
        self._given = token_lists

    def read(self, buffer: torch.Tensor | None, seq: int = 0) -> None:
        """Let the next forward passes, each of (1, ``seq``) tokens, read a buffer that somebody else fills.

        For passes that are replayed from a CUDA graph, where no Python runs: the buffer keeps its address.

        Args:
            buffer: (at least ``seq``,) int32 on ``device``, -1 where nothing is edited; None ends it.
            seq: tokens of a pass, padding included.
        """
        self._reads = buffer is not None
        if buffer is not None and self._buffers:
            self._buffers.read(buffer, (1, seq))

    def count(self, tokens: torch.Tensor) -> None:
        """Add to ``asked`` what passes over a buffer of ``read`` were to do.

        Args:
            tokens: (lists,) int64, the tokens that named each list.
        """
        if self._buffers:
            self._buffers.count(tokens)

    def __enter__(self) -> ResidualEdits:
        if self._entered:
            raise RuntimeError("these ResidualEdits are entered already; make new ones to nest.")
        if not self._buffers:
            self._entered = True
            return self
        self._forget_prompts()
        self._block = next(_blocks)
        self._generate = enter_block(self._model, self)
        try:
            self._buffers.enter()
            base: Any = getattr(self._model, "base_model", self._model)
            self._handles = [
                base.register_forward_pre_hook(self._before_forward, with_kwargs=True),
                base.register_forward_hook(self._after_forward),
            ]
        except BaseException:
            self._leave()
            raise
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        if not self._buffers:
            return
        self._leave()
        if kind is not None:
            return
        self.check()
        if not any(self.asked):
            warnings.warn("the edits acted on no token: no forward pass reached their positions", stacklevel=2)

    @property
    def _running(self) -> bool:
        return self._generate is not None and self._generate.running

    def _leave(self) -> None:
        if self._buffers:
            self._buffers.leave()
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if self._generate is not None:
            leave_block(self._model, self)
            self._generate = None

    def _forget_prompts(self) -> None:
        self._placement, self._given, self._ready, self._placed = None, None, None, None

    def _after_forward(self, module: nn.Module, args: Any, output: Any) -> None:
        if torch.compiler.is_compiling() or self._reads or self._buffers is None:
            return
        self._buffers.commit()
        if self._given is None:
            mark_cache(output, self._block, self._prompts)

    def _before_forward(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Decide the lists of this pass, unless ``generate`` or the caller did."""
        if torch.compiler.is_compiling() or self._reads or self._buffers is None:
            return
        if args:
            kwargs = {**inspect.signature(module.forward).bind_partial(*args).arguments, **kwargs}
        begun = ForwardPass.of(kwargs)
        if self._generate is None or self._generate.thread != threading.get_ident():
            raise ModelError(ALONE)
        self._decide(begun)
        self._buffers.began()

    def _decide(self, begun: ForwardPass) -> None:
        """Write the lists of a pass, where nobody did."""
        ready, self._ready = self._ready, None
        placed, self._placed = self._placed, None
        if self._given is not None:
            if tuple(self._given.shape) != begun.shape:
                raise ValueError(
                    f"token_lists has shape {tuple(self._given.shape)}, but the forward pass (batch, seq) = "
                    f"{begun.shape}: call use(token_lists) with the lists of the padded batch."
                )
            assert self._buffers is not None
            self._buffers.write(self._given)
            return
        if self._running:
            if ready != begun.shape:
                raise ModelError(
                    "generate made a forward pass that it did not prepare, as guidance_scale does for its second "
                    "prompt; edits cannot tell what it holds, so leave that out."
                )
            begun.check_cache(self._block)
            return
        if begun.past == 0:
            if ready != begun.shape or placed is None or begun.ids is None or not torch.equal(placed, begun.ids):
                self.place(*begun.prompts())
                self._ready = self._placed = None
            return
        begun.check_cache(self._block, self._prompts)
        if ready != begun.shape:
            self.assign(*begun.places())
            self._ready = None

    def _rows_of(self, batch: int) -> list[tuple[int, ...]]:
        if self.shared:
            return self.rows * batch
        if len(self.rows) != batch:
            raise ValueError(f"edits has {len(self.rows)} rows, but the batch {batch} prompts; give one row a prompt.")
        return self.rows


def _as_rows(edits: Rows) -> tuple[list[Sequence[Edit]], bool]:
    """(rows, whether there is one for the whole batch)."""
    if isinstance(edits, Edit):
        raise TypeError("edits must be a sequence of edits, got one Edit; write [edit].")
    found: list[Any] = list(edits)
    if all(isinstance(edit, Edit) for edit in found):
        return [found], True
    for i, row in enumerate(found):
        if not isinstance(row, Sequence) or not all(isinstance(edit, Edit) for edit in row):
            raise TypeError(
                f"edits must hold edits only, or one sequence of edits a row; entry {i} is {type(row).__name__}."
            )
    return found, False
