"""What a model is asked to write when a sparse autoencoder needs text: kinds of prompt and everyday subjects.

Only wording and shares live here; ``self_written`` renders the prompts and samples the answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyvalue.measurement.prompts import YES_NO, PromptStyle


@dataclass(frozen=True)
class WritingTask:
    """One kind of prompt.

    Attributes:
        style: wording; its ``{question}`` is an item of the questionnaire, or an everyday subject.
        share: batches of this kind in every ten.
        everyday: fill ``{question}`` with an everyday subject instead of an item of the questionnaire.
        length: longest answer, in tokens.
    """

    style: PromptStyle
    share: int
    everyday: bool = False
    length: int = 160


#: Ten batches are two of yes and no, two of reasons, two of stories, and four about everyday things. Yes-and-no
#: answers are what is steered, but their prompts are nearly the same words again and again.
WRITING_TASKS = (
    WritingTask(YES_NO, share=2, length=80),
    WritingTask(PromptStyle("explain-1", YES_NO.system, "{question} Explain your answer in a few sentences."), share=2),
    WritingTask(
        PromptStyle(
            "story-1",
            "Stay in this role.",
            "Tell a short story about a day in your life when this question mattered: {question}",
        ),
        share=2,
    ),
    WritingTask(
        PromptStyle("chat-1", "You are talking with a neighbour.", "Let us talk about {question}. What comes to mind?"),
        share=2,
        everyday=True,
    ),
    WritingTask(
        PromptStyle("continue-1", "", "Go on with this text: The other day someone asked me about {question}, and"),
        share=1,
        everyday=True,
    ),
    WritingTask(
        PromptStyle("inform-1", "Be clear and to the point.", "Write a paragraph that teaches me about {question}."),
        share=1,
        everyday=True,
    ),
)

_THINGS = (
    "bread", "the weather in spring", "a broken bicycle", "learning to swim", "old photographs", "the night sky",
    "a crowded train", "planting tomatoes", "the price of rent", "a wedding in the village", "football",
    "how a radio works", "medicine for a cough", "the history of bridges", "fractions", "a lost cat", "winter coats",
    "a job interview", "the sea", "computer programs", "spices", "sleeping badly", "elections", "a school play",
    "taxes", "painting a wall", "bees", "a long bus ride", "grandparents", "rivers", "chess", "a noisy street",
    "making soup", "the first aeroplanes", "keeping a diary", "earthquakes", "a birthday present", "old languages",
    "solar panels", "dentists", "the market on Saturday", "a difficult boss", "folk songs", "maps", "running shoes",
    "a court case", "volcanoes", "how vaccines work", "moving to another country", "a power cut", "trees in the city",
    "borrowing money", "a film about space", "cooking for ten people", "the human heart", "ships", "a quiet library",
    "repairing a roof", "teenagers", "wolves", "the calendar", "a bad harvest", "poems", "electric cars",
    "an apology", "the immune system", "shopping lists", "a mountain hut", "statistics", "trade with other countries",
    "toys", "a flood", "handwriting", "the meaning of names", "a hospital at night", "coffee", "prime numbers",
    "a promise", "newspapers", "gravity", "a dance class", "the price of gold", "raising chickens", "a siege",
)  # fmt: skip
_VIEWS = (
    "{}", "what makes {} interesting", "the trouble with {}", "how {} has changed over the years",
    "what children should know about {}", "the best advice about {}", "a surprise that has to do with {}",
    "why some people care about {} and others do not",
)  # fmt: skip

#: Every thing seen from every side, in our own words.
EVERYDAY_SUBJECTS = tuple(view.format(thing) for thing in _THINGS for view in _VIEWS)
