"""One question of an inventory, in several wordings."""

from __future__ import annotations

from dataclasses import dataclass

#: What an item is: about a value, about nothing, or in words that mean nothing.
KINDS = ("keyed", "content-free", "nonsense")


@dataclass(frozen=True)
class Item:
    """One question, in several wordings; immutable. Spaces around its texts are taken off.

    Attributes:
        id: unique in its inventory.
        value: what it asks about; empty where ``keying`` is 0.
        keying: +1 where "yes" speaks for the value, -1 where it speaks against it, 0 for an item that asks about none.
        question: as it is asked.
        paraphrases: other wordings of the same question, default none.
        nonsense: an item without keying whose words mean nothing; other such items are content-free.

    Raises:
        TypeError: a text that is none.
        ValueError: another keying, an empty text, a value without keying or keying without a value, or a keyed item
            that is marked as nonsense.
    """

    id: str
    value: str
    keying: int
    question: str
    paraphrases: tuple[str, ...] = ()
    nonsense: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.paraphrases, str):
            raise TypeError(f"paraphrases: expected a sequence of texts, got one text {self.paraphrases!r}")
        for name in ("id", "value", "question"):
            object.__setattr__(self, name, _stripped(name, getattr(self, name)))
        object.__setattr__(self, "paraphrases", tuple(_stripped("paraphrases", text) for text in self.paraphrases))
        if self.keying not in (-1, 0, 1):
            raise ValueError(f"keying: expected 1, -1 or 0, got {self.keying!r}")
        if not self.id:
            raise ValueError("id: expected a name for the item, got an empty one")
        if not all(self.wordings):
            raise ValueError("question, paraphrases: expected texts, got an empty one")
        if bool(self.value) != bool(self.keying):
            raise ValueError(
                f"value: expected a value for keying 1 or -1 and none for 0, got {self.value!r} and {self.keying}"
            )
        if self.keying and self.nonsense:
            raise ValueError(f"nonsense: expected False for an item with keying {self.keying}, got True")

    @property
    def wordings(self) -> tuple[str, ...]:
        """The question, then its paraphrases."""
        return (self.question, *self.paraphrases)

    @property
    def kind(self) -> str:
        """``"keyed"``, ``"content-free"`` or ``"nonsense"``."""
        return "keyed" if self.keying else "nonsense" if self.nonsense else "content-free"

    @property
    def group(self) -> str:
        """The value, or the kind of an item without one."""
        return self.value or self.kind


def _stripped(name: str, text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{name}: expected a text, got {text!r}")
    return text.strip()
