"""The asker of score mode: answers of all configurations, and the perplexity of watched personas."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="asking runs a model")
pytest.importorskip("transformers", reason="asking runs a model of transformers")

from pyvalue.measurement import score_asking  # noqa: E402
from pyvalue.measurement.asking import Configuration  # noqa: E402
from pyvalue.measurement.design import Design  # noqa: E402
from pyvalue.measurement.inventory import load_inventory  # noqa: E402
from pyvalue.measurement.perplexity import question_perplexity  # noqa: E402
from pyvalue.measurement.personas import make_personas  # noqa: E402
from pyvalue.measurement.prompts import YES_NO, render_prompt  # noqa: E402
from pyvalue.measurement.score_asking import WATCHED_QUESTIONS, ScoreAsker, watched_questions  # noqa: E402
from pyvalue.measurement.scoring import score_prompts  # noqa: E402
from pyvalue.models.edits import Edit  # noqa: E402

PERSON = make_personas(1)[1]


@pytest.fixture
def configurations(tiny_sae):
    edits = [Edit(feature=f, strength=0.9, unit="relative", sae=tiny_sae) for f in (3, 7)]
    return [Configuration("", ()), *(Configuration(edit.label, (edit,)) for edit in edits)]


def asker(model, *watched, min_mass=0.0) -> ScoreAsker:
    return ScoreAsker(model, YES_NO, min_mass, None, frozenset(watched))


def test_answers_equal_those_of_each_configuration_alone(tiny_model, small_inventory, configurations):
    cells = Design(orders=("yes-no", "no-yes")).cells(small_inventory)
    prompts = [render_prompt(tiny_model.tokenizer, PERSON, cell.question, order=cell.order) for cell in cells]
    for configuration, answers in zip(
        configurations, asker(tiny_model).ask(PERSON, cells, configurations), strict=True
    ):
        alone = score_prompts(tiny_model, prompts, configuration.edits)
        mass = alone.yes + alone.no
        np.testing.assert_allclose([answer.mass for answer in answers], mass, rtol=0, atol=1e-6)
        np.testing.assert_allclose([answer.p_yes for answer in answers], alone.yes / mass, rtol=0, atol=1e-5)
        assert [answer.status for answer in answers] == ["yes" if p >= 0.5 else "no" for p in alone.yes / mass]
        assert all(math.isnan(answer.perplexity) for answer in answers)


def test_little_mass_is_invalid(tiny_model, small_inventory):
    cells = Design().cells(small_inventory)
    [answers] = asker(tiny_model, min_mass=0.9999).ask(PERSON, cells, [Configuration("")])
    assert {answer.status for answer in answers} == {"invalid"} and all(math.isnan(a.p_yes) for a in answers)


def test_perplexity_of_watched_personas_only(tiny_model, small_inventory, configurations):
    cells = Design().cells(small_inventory)
    found = asker(tiny_model, PERSON.name, "someone else").ask(PERSON, cells, configurations)
    keyed = [i for i, cell in enumerate(cells) if cell.item.keying]
    for configuration, answers in zip(configurations, found, strict=True):
        prompts = [render_prompt(tiny_model.tokenizer, PERSON, cells[i].question) for i in keyed]
        starts = [prompt.rfind(cells[i].question) for i, prompt in zip(keyed, prompts, strict=True)]
        places = [(start, start + len(cells[i].question)) for i, start in zip(keyed, starts, strict=True)]
        expected = question_perplexity(tiny_model, prompts, places, configuration.edits)
        np.testing.assert_allclose([answers[i].perplexity for i in keyed], expected, rtol=1e-5)
        assert [i for i, answer in enumerate(answers) if math.isnan(answer.perplexity)] == [
            i for i, cell in enumerate(cells) if not cell.item.keying
        ]


def test_answers_do_not_depend_on_what_is_asked_beside_them(tiny_model, small_inventory, configurations):
    """As after an interruption, when some configurations of a persona are stored."""
    cells = Design().cells(small_inventory)
    watching = asker(tiny_model, PERSON.name)
    together = watching.ask(PERSON, cells, configurations)
    for configuration, answers in zip(configurations, together, strict=True):
        [alone] = watching.ask(PERSON, cells, [configuration])
        for one, other in zip(answers, alone, strict=True):
            assert one.p_yes == pytest.approx(other.p_yes, abs=1e-5)
            assert one.perplexity == pytest.approx(other.perplexity, rel=1e-5, nan_ok=True)


def test_prompts_are_rendered_once_a_persona(tiny_model, small_inventory, configurations, monkeypatch):
    rendered = []

    def render(*args, **kwargs):
        rendered.append(args)
        return render_prompt(*args, **kwargs)

    monkeypatch.setattr(score_asking, "render_prompt", render)
    cells = Design().cells(small_inventory)
    asker(tiny_model).ask(PERSON, cells, configurations)
    assert len(rendered) == len(cells)


def test_watched_questions_are_even_and_few():
    cells = Design(orders=("yes-no", "no-yes")).cells(load_inventory())
    chosen = watched_questions(cells)
    assert len(chosen) == len(set(chosen)) == WATCHED_QUESTIONS and chosen == sorted(chosen)
    assert all(cells[i].item.keying for i in chosen)
    keyed = [i for i, cell in enumerate(cells) if cell.item.keying]
    steps = np.diff([keyed.index(i) for i in chosen])
    assert steps.max() - steps.min() <= 1
    assert watched_questions([cell for cell in cells if not cell.item.keying]) == []


def test_edits_that_act_on_no_token_are_told_once_a_run(tiny_model, small_inventory, tiny_sae):
    idle = Edit(feature=3, strength=5.0, positions="generated", sae=tiny_sae)
    people, cells = make_personas(3), Design().cells(small_inventory)
    asking = asker(tiny_model, *(person.name for person in people))
    with pytest.warns(UserWarning, match="acted on no token") as said:
        for person in people:
            asking.ask(person, cells, [Configuration(""), Configuration("idle", (idle,))])
    assert len(said) == 1
