"""P(yes) and P(no) of the next token, more exactly than a model in half precision prints its logits.

A bfloat16 logit near 20 is a multiple of 0.125, which alone moves p(yes) by up to 0.03. The few logits that matter are
therefore computed again, in float64, from the hidden state that enters the model's head. Runs no model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pyvalue.errors import ModelError

if TYPE_CHECKING:
    import torch

    from pyvalue.models.loading import LanguageModel

_YES = ("Yes", "yes", "YES")
_NO = ("No", "no", "NO")
# What a vocabulary writes for a space before a word: byte-level BPE, SentencePiece.
_SPACES = ("", "\u0120", "\u2581")


class AnswerLogits:
    """Reads answers out of forward passes of one model.

    Args:
        model: to read.

    Raises:
        ModelError: the tokenizer has no single token for yes, or for no.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._forms = [form_ids(model.tokenizer, words) for words in (_YES, _NO)]
        self._ids = [token for forms in self._forms for token in forms]
        self._head: Any = model.network.get_output_embeddings()
        self._changes = _changes(model.network.config.get_text_config())
        self._hidden: torch.Tensor | None = None
        self._weight, self._bias = self._head_rows()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Follow what enters the head in passes inside of the block."""
        if self._weight is None:
            yield
            return

        def note(_module: Any, inputs: tuple[Any, ...]) -> None:
            self._hidden = inputs[0]

        handle = self._head.register_forward_pre_hook(note)
        try:
            yield
        finally:
            handle.remove()
            self._hidden = None

    def read(self, logits: torch.Tensor) -> torch.Tensor:
        """Probabilities of yes and of no, (b, 2) float64 on the CPU, summed over their forms.

        Args:
            logits: (b, vocabulary) of the pass that ran last, at the last token of every row.
        """
        import torch

        rest = logits.float()
        own = rest[:, self._ids].double().cpu()
        rest = rest.index_fill(1, torch.tensor(self._ids, device=rest.device), -torch.inf)
        others = torch.logsumexp(rest, dim=-1, keepdim=True).double().cpu()
        forms = self._exact(own, torch.finfo(logits.dtype).eps)
        total = torch.logsumexp(torch.cat([others, forms], dim=-1), dim=-1, keepdim=True)
        chances = (forms - total).exp()
        yes = len(self._forms[0])
        return torch.stack([chances[:, :yes].sum(dim=-1), chances[:, yes:].sum(dim=-1)], dim=-1)

    def _exact(self, own: torch.Tensor, eps: float) -> torch.Tensor:
        """Logits (b, forms) computed again; the model's own in rows where the two differ by more than rounding."""
        import torch

        if self._weight is None or self._hidden is None:
            return own
        raw = self._hidden[:, -1].cpu().double() @ self._weight.T + self._bias
        slack = max(2 * eps, 1e-4) * own.abs().amax(dim=-1, keepdim=True).clamp(min=1.0)
        found = own
        for change in reversed(self._changes):
            again = change(raw)
            agrees = ((again - own).abs() <= slack).all(dim=-1, keepdim=True)
            found = torch.where(agrees, again, found)
        return found

    def _head_rows(self) -> tuple[torch.Tensor | None, torch.Tensor | float]:
        """Rows of the vocabulary matrix for the forms, and their biases; None where the head is no plain matrix."""
        weight, bias = getattr(self._head, "weight", None), getattr(self._head, "bias", None)
        if weight is None or not weight.is_floating_point() or weight.ndim != 2 or weight.device.type == "meta":
            return None, 0.0
        if weight.shape[0] <= max(self._ids):
            return None, 0.0
        return weight[self._ids].cpu().double(), 0.0 if bias is None else bias[self._ids].cpu().double()


def _changes(config: Any) -> list[Callable[[torch.Tensor], torch.Tensor]]:
    """What the model may do to the head's output, the likeliest first: the model's own logits decide."""
    import torch

    found: list[Callable[[torch.Tensor], torch.Tensor]] = []
    if cap := getattr(config, "final_logit_softcapping", None):  # Gemma 2
        found.append(lambda x: cap * torch.tanh(x / cap))
    if scale := getattr(config, "logit_scale", None):  # Cohere
        found.append(lambda x: x * scale)
    if divisor := getattr(config, "logits_scaling", None):  # Granite
        found.append(lambda x: x / divisor)
    return [*found, lambda x: x]


def form_ids(tokenizer: Any, words: Sequence[str]) -> list[int]:
    """Ids of the tokens that are one of these words, with a space before it or without.

    A form that the tokenizer writes in two tokens is not counted: its probability is not in the next token alone.
    SentencePiece tokenizers may put a space before every text, so that only the vocabulary tells the form without it.

    Raises:
        ModelError: there is none.
    """
    found: set[int | None] = set()
    for word in words:
        found |= {tokenizer.convert_tokens_to_ids(space + word) for space in _SPACES}
        for text in (word, f" {word}"):
            ids = tokenizer.encode(text, add_special_tokens=False)
            found |= set(ids) if len(ids) == 1 else set()
    known = sorted(token for token in found if token is not None and token != tokenizer.unk_token_id)
    if not known:
        raise ModelError(f"the tokenizer has no single token for {words[0]!r}; score mode cannot ask this model")
    return known
