"""The words that answer a question, where a clause begins with them: "I'd say no", "Of course not", "It depends"."""

from __future__ import annotations

import re
from dataclasses import dataclass

# What may stand before an answer in its own clause. Nothing here negates, doubts or quotes.
_OPENERS = (
    r"so|therefore|thus|hence|overall|and|but|well|then|honestly|personally|actually|finally|oh(?! no\b)|hell|hmm|why"
    r"|now|i'm afraid",
    r"in (?:conclusion|short|summary|the end|my (?:opinion|view))|for me|to me|to be honest|all in all|if you ask me",
    r"(?:i (?:really |do |just )?(?:think|believe|guess|feel|suppose)(?! (?:so|not)\b)"
    r"|i(?:'d| would| must| will|'ll)? (?:definitely |certainly |probably |rather |just )?"
    r"(?:have to )?(?:say|answer|choose|pick|go with|lean towards?))(?: that)?",
    r"(?:(?:my|the) )?(?:(?:final|short|honest|simple|only|own) )?answer (?:is|would be|must be|has to be)",
    r"it(?:'s| is| would be)(?= (?:a \w+ )?(?:yes|no)\b)",
    "boxed",  # of LaTeX
    r"a (?:firm|clear|definite|resounding|big|hard|strong)(?= (?:yes|no)\b)",
)
_OPENING = re.compile(rf"\W*(?:(?:[1-4a-d][.)]|(?:{'|'.join(_OPENERS)})\b)[\W_]*)*")
# Adverbs that say yes by themselves, and no before "not".
_ADVERB = (
    r"(?:most |quite |very |almost )?(?:definitely|certainly|absolutely|of course|probably|surely|undoubtedly|obviously"
    r"|likely|for sure|without (?:a )?doubt|naturally)"
)
# "No" is an answer before a pause or a new clause; in "no reason" and "no-one" it is not.
_CLAUSES = (
    "i i'm i'd i'll i've you you're we it it's that that's this these they he she there my because since as unless but "
    "not don't never please absolutely definitely thanks thank sorry sir"
)
_PAUSE = r"(?!['-]\w|\.\d)(?=\s*(?:[^\w\s?]|_)|[^\S\n]*\n|\s*$)"
_NEW_CLAUSE = rf"(?:{_PAUSE}|(?=\s+(?:{'|'.join(_CLAUSES.split())})\b))"
UNSURE = r"(?:unsure|uncertain|undecided|not\s+(?:\w+ly\s+|so\s+|quite\s+|yet\s+|too\s+|that\s+)?(?:sure|certain))"
_STILL = r"(?:still |just |really |honestly )?"
#: what is said, how, and whether it also counts as the last clause of a sentence that began with something else
_TABLE: tuple[tuple[str, bool, str], ...] = (
    ("unsure", True, rf"{UNSURE}{_PAUSE}"),
    # "I'm not sure, but ..." goes on to say something; "I'm not sure." does not.
    ("unsure", True, rf"i(?:'m| am| feel| remain) {_STILL}{UNSURE}(?: yet| at all)?(?=\s*(?:[.!\n]|$))"),
    ("unsure", False, rf"(?:maybe|perhaps|possibly|maybe yes,? maybe no|yes and no|both){_PAUSE}"),
    ("unsure", False, rf"i (?:really )?(?:don't|do not) (?:really )?know{_PAUSE}|i have no idea{_PAUSE}"),
    ("unsure", False, rf"i (?:can't|cannot|could not|couldn't) (?:decide|choose){_PAUSE}"),
    ("unsure", False, r"(?:it|that) (?:all |really |just )?depends\b"),
    ("unsure", False, rf"(?:it's |it is )?(?:hard|difficult|impossible) to (?:say|tell|decide)(?: yes or no)?{_PAUSE}"),
    ("no", True, rf"(?:{_ADVERB},? )?(?:no{_NEW_CLAUSE}|no way{_PAUSE}|(?:nope|nah){_NEW_CLAUSE})"),
    ("no", True, rf"{_ADVERB} not{_PAUSE}|not (?:likely|a chance){_PAUSE}|unlikely{_PAUSE}|i doubt it{_PAUSE}"),
    ("no", True, rf"i think not{_PAUSE}|i (?:really )?(?:don't|do not) (?:think|believe|suppose|guess) so\b"),
    ("no", False, rf"(?:never|hardly|not really|not at all|by no means|in no way|under no circumstances){_PAUSE}"),
    ("yes", True, rf"(?:{_ADVERB},? )?(?:yes|yeah|yep|yup){_NEW_CLAUSE}|i (?:think|believe|guess|suppose) so\b"),
    ("yes", False, rf"(?:{_ADVERB}|sure(?: thing)?|by all means){_PAUSE}"),
)
_COMPILED = tuple((kind, plain, re.compile(pattern)) for kind, plain, pattern in _TABLE)
# A comma makes a list where another option ends it, not in "yes, no trouble".
_ANOTHER = re.compile(
    r"\W{0,9}(?:/|\||(?<!\()\bor\b|\band\b|,\s{0,9}(?=(?:yes|no|unsure)\s{0,9}(?:$|[,.;)\]]|or\b)))"
    r"\W{0,9}(?:yes|no|unsure)\b"
)
# The word is spoken of, or by somebody else: "'no' is a sentence", "'yes,' says my mother", "yes, they say".
_SPOKEN_OF = re.compile(
    r"[\"')*,.!]{0,5}\s{0,3}(?:is|was|isn't|means|sounds|seems|can be|would be|comes|would have|will have)\b"
    r"|[,.!]?[\"']\s{0,3}(?!i\b|i'd\b|you\b)(?:(?:my |the )?\w{1,20} (?:would |will |always |often )?)?"
    r"(?:say|said|says|tell|tells|told|answer|answered|answers|replied|replies|think|thinks)\b"
    r"|,?\s{0,3}(?:(?:he|she|they|people|some|many|others|everyone|my \w{1,20}) (?:would |will |may |might |always )?"
    r"(?:says?|said|answer(?:ed|s)?|replie[sd]|tells? me|told me)\s{0,3}(?:[.!]|$))"
)


@dataclass(frozen=True)
class Spoken:
    """An answer in words: what it says, where it ends, and whether its words can mean nothing else."""

    kind: str
    end: int
    plain: bool


def opening(text: str) -> int:
    """Where a clause begins, past marks and words such as "so" and "I'd say"."""
    match = _OPENING.match(text)
    return match.end() if match else 0


def spoken(text: str) -> Spoken | None:
    """The answer that a text, given as ``plain_text`` makes it, begins with; None where it names several."""
    # With the opening, or from the first word: "i think not" is an answer as a whole.
    starts = {opening(text), len(text) - len(text.lstrip("\"'`*_ \n\t.:,([{<-#>~\\$"))}
    for start in sorted(starts, reverse=True):
        for kind, plain, pattern in _COMPILED:
            if match := pattern.match(text, start):
                end = match.end()
                if ((plain or kind != "unsure") and _ANOTHER.match(text, end)) or _SPOKEN_OF.match(text, end):
                    return None
                return Spoken(kind, end, plain)
    return None
