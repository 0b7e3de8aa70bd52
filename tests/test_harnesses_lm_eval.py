"""lm-evaluation-harness tasks: the harness' own log-likelihoods give the p_yes that ``measure`` gives."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

lm_eval = pytest.importorskip("lm_eval", reason="lm-eval is not installed: pip install 'pyvalue[harness]'")
pytest.importorskip("torch", reason="runs a model")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from lm_eval.api.model import TemplateLM  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

import pyvalue as pv  # noqa: E402
from pyvalue.errors import StoreError  # noqa: E402
from pyvalue.harnesses import responses_from_lm_eval, save_tasks, value_tasks  # noqa: E402
from pyvalue.harnesses.cluster_errors import clustered_error  # noqa: E402
from pyvalue.harnesses.lm_eval_task import NO, YES  # noqa: E402
from pyvalue.measurement.prompts import render_prompt  # noqa: E402

PEOPLE = (
    pv.Persona("none", ""),
    pv.Persona("Ana", "You are a woman from Norway, an engineer."),
    pv.Persona("Bo", "You are a man from Chile, a baker."),
)
TEXTS = ["persona", "item", "value", "keying", "kind", "mode", "wording", "order", "repeat", "text", "answer", "status"]


def harness(model, **options) -> HFLM:
    return HFLM(pretrained=model.network, tokenizer=model.tokenizer, batch_size=8, **options)


def run(lm, tasks, task_manager=None, **options):
    manager = task_manager or TaskManager(include_defaults=False)  # else thousands of files are read
    return lm_eval.simple_evaluate(lm, tasks=tasks, bootstrap_iters=10, task_manager=manager, **options)


def same(found: pv.Responses, measured: pv.Responses, error: float) -> None:
    pd.testing.assert_frame_equal(found.table[TEXTS], measured.table[TEXTS])
    for name in ("p_yes", "mass", "score"):
        np.testing.assert_allclose(found.table[name], measured.table[name], rtol=0, atol=error, err_msg=name)


@pytest.fixture(scope="module")
def results(tiny_model, small_inventory):
    tasks = value_tasks(small_inventory, PEOPLE, tokenizer=tiny_model.tokenizer, min_mass=0.0)
    return run(harness(tiny_model), tasks)


@pytest.mark.model
def test_p_yes_is_that_of_measure_on_the_bundled_model(smol):
    inventory = pv.load_inventory("portrait").only(["Power", "Security"]).subset(2, 1)
    measured = pv.measure(smol, inventory, PEOPLE[:2], progress=False)
    exact = run(harness(smol), value_tasks(inventory, PEOPLE[:2], tokenizer=smol.tokenizer))
    same(responses_from_lm_eval(exact), measured, 1e-4)
    # Rendered by the harness: "YES" counts too, which SmolLM2 writes in two tokens.
    own = responses_from_lm_eval(
        run(harness(smol), value_tasks(inventory.only("Power"), PEOPLE[:1]), apply_chat_template=True)
    )
    both = own.table.merge(measured.table, on=["persona", "item"])
    assert len(both) == 3 and (both["p_yes_x"] >= both["p_yes_y"] - 1e-5).all()
    np.testing.assert_allclose(both["p_yes_x"], both["p_yes_y"], atol=0.02)


@pytest.mark.model
def test_the_harness_renders_the_prompt_that_measure_renders(smol):
    inventory = pv.load_inventory("portrait").subset(1, 1)
    lm = harness(smol)
    for task in value_tasks(inventory, PEOPLE):
        task.build_all_requests(apply_chat_template=True, chat_template=lm.apply_chat_template)
        for instance in task.instances:
            persona = next(person for person in PEOPLE if person.name == instance.doc["persona"])
            prompt = render_prompt(smol.tokenizer, persona, instance.doc["text"])
            context, continuation = instance.args
            assert context + continuation in {prompt, *(prompt + form for form in (*YES, *NO))}


def test_p_yes_is_that_of_measure_also_in_both_orders(tiny_model, small_inventory, results):
    same(responses_from_lm_eval(results), pv.measure(tiny_model, small_inventory, PEOPLE, min_mass=0), 1e-5)
    design = pv.Design(orders=("no-yes", "yes-no"))
    tasks = value_tasks(small_inventory, PEOPLE[:2], design=design, tokenizer=tiny_model.tokenizer, min_mass=0)
    found = responses_from_lm_eval(run(harness(tiny_model), tasks))
    same(found, pv.measure(tiny_model, small_inventory, PEOPLE[:2], design=design, min_mass=0), 1e-5)
    assert found.facts["study"]["design"]["orders"] == ["no-yes", "yes-no"]


def test_edits_around_the_harness(tiny_model, tiny_sae, small_inventory, results):
    edits = [
        pv.Edit(feature=3, strength=9.0, sae=tiny_sae),
        pv.Edit(feature=5, op="set", strength=6.0, sae=tiny_sae, positions=pv.span("your values")),
    ]
    tasks = value_tasks(small_inventory, PEOPLE, tokenizer=tiny_model.tokenizer, min_mass=0)
    with tiny_model.edit(edits):
        steered = responses_from_lm_eval(run(harness(tiny_model), tasks), edit="push")
    same(steered, pv.measure(tiny_model, small_inventory, PEOPLE, edits, min_mass=0), 1e-5)
    assert steered.edits == ("push",)
    changed = steered.table["p_yes"] - responses_from_lm_eval(results).table["p_yes"]
    assert changed.abs().max() > 0.01


def test_metrics_are_means_and_their_errors_clustered_by_persona(small_inventory, results):
    table = responses_from_lm_eval(results).table
    assert set(results["results"]) == {
        f"pyvalue_small_{name}" for name in ("security", "power", "tradition", "hedonism", "no_value")
    }
    for value, rows in table[table["keying"] != 0].groupby("value"):
        found = results["results"][f"pyvalue_small_{value.lower()}"]
        assert found["score,none"] == pytest.approx(rows["score"].mean())
        assert found["p_yes,none"] == pytest.approx(rows["p_yes"].mean())
        assert found["mass,none"] == pytest.approx(rows["mass"].mean())
        assert found["valid,none"] == 1
        # Every persona answers as many, so that the error is that of the mean of their means.
        means = rows.groupby("persona")["score"].mean()
        assert found["score_stderr,none"] == pytest.approx(means.std(ddof=1) / math.sqrt(len(means)))
    assert "0.0" in lm_eval.utils.make_table(results)
    free = table[table["keying"] == 0]
    found = results["results"]["pyvalue_small_no_value"]
    assert found["score,none"] == pytest.approx((2 * free["p_yes"] - 1).mean())


class Scripted(TemplateLM):
    """A model whose next token is yes, no or something else with the probabilities that ``chances`` gives."""

    backend, eot_token_id, tokenizer_name = "causal", 0, "scripted"

    def __init__(self, chances):
        super().__init__()
        self.chances, self.asked = chances, []

    def loglikelihood(self, requests, disable_tqdm=False):
        return [(self._one(*request.args), False) for request in requests]

    def _one(self, context, continuation):
        self.asked.append(context)
        yes, no = self.chances(context)
        form = continuation.strip()
        return math.log({"Yes": yes, "No": no}.get(form, 1.0 if not form else 1e-300))

    def apply_chat_template(self, messages, add_generation_prompt=True):
        return "".join(f"[{m['role']}] {m['content']}\n" for m in messages if m["role"] != "system") + "[assistant]\n"

    def tok_encode(self, string, **options):
        raise NotImplementedError

    def _loglikelihood_tokens(self, requests, **options):
        raise NotImplementedError

    def loglikelihood_rolling(self, requests, disable_tqdm=False):
        raise NotImplementedError

    def generate_until(self, requests, disable_tqdm=False):
        raise NotImplementedError


def test_an_answer_that_is_none_is_missing_and_no_zero(small_inventory):
    lm = Scripted(lambda context: (1e-4, 2e-4) if "Ana" in context else (0.3, 0.1))
    ana = pv.Persona("Ana", "You are Ana.")
    results = run(lm, value_tasks(small_inventory, [PEOPLE[0], ana]), apply_chat_template=True)
    table = responses_from_lm_eval(results, model="scripted").table
    assert set(table[table["persona"] == "Ana"]["status"]) == {"invalid"}
    assert table[table["persona"] == "Ana"]["p_yes"].isna().all()
    assert table[table["persona"] == "none"]["p_yes"].to_numpy() == pytest.approx(0.75)
    power = results["results"]["pyvalue_small_power"]
    assert power["valid,none"] == 0.5 and power["p_yes,none"] == pytest.approx(0.75)
    assert power["score,none"] == pytest.approx(0.0)  # one item for it, one against
    assert math.isnan(power["score_stderr,none"])  # one persona says nothing of how personas differ


def test_a_template_without_a_system_role_keeps_the_persona(small_inventory):
    """The harness drops the system message there, and with it the persona."""
    lm = Scripted(lambda context: (0.3, 0.1))
    run(lm, value_tasks(small_inventory, PEOPLE), apply_chat_template=True)
    assert all("guided by your values" in context for context in lm.asked)
    assert sum("from Norway" in context for context in lm.asked) == len(lm.asked) / len(PEOPLE)


def test_rendered_prompts_are_not_rendered_again(tiny_model, small_inventory):
    tasks = value_tasks(small_inventory, PEOPLE, tokenizer=tiny_model.tokenizer)
    with pytest.raises(ValueError, match="apply_chat_template: expected False"):
        run(harness(tiny_model), tasks, apply_chat_template=True)


def test_saved_tasks_are_found_by_name_and_the_folder_may_move(tmp_path, tiny_model, small_inventory, results):
    tag = save_tasks(tmp_path / "a", small_inventory, PEOPLE, tokenizer=tiny_model.tokenizer, min_mass=0)
    (tmp_path / "a").rename(tmp_path / "b")
    manager = TaskManager(include_path=str(tmp_path / "b"), include_defaults=False)
    assert sorted(manager.all_subtasks) == sorted(results["results"]) and tag == "pyvalue_small"
    found = run(harness(tiny_model), [tag], task_manager=manager)
    same(responses_from_lm_eval(found), responses_from_lm_eval(results), 1e-6)
    one = run(harness(tiny_model), ["pyvalue_small_power"], task_manager=manager)
    assert responses_from_lm_eval(one).values == ("Power",)


def test_a_damaged_file_of_questions_is_named(tmp_path, small_inventory):
    save_tasks(tmp_path, small_inventory, PEOPLE, values="Power")
    (tmp_path / "pyvalue_small_power.jsonl").write_text('{"persona": ')
    with pytest.raises(StoreError, match=r"pyvalue_small_power\.jsonl"):
        TaskManager(include_path=str(tmp_path), include_defaults=False).load(["pyvalue_small_power"])


def test_logged_samples_of_the_command_line_are_read(tmp_path, results):
    from lm_eval.loggers import EvaluationTracker

    tracker = EvaluationTracker(output_path=str(tmp_path))
    tracker.general_config_tracker.model_name_sanitized, tracker.date_id = "tiny", "2026-01-01"
    for name, samples in results["samples"].items():
        tracker.save_results_samples(name, json.loads(json.dumps(samples)))
    expected = responses_from_lm_eval(results)
    found = responses_from_lm_eval(tmp_path / "tiny")
    same(found, expected, 0.0)
    assert set(found.table["model"]) == {"tiny"}
    (power,) = (tmp_path / "tiny").glob("samples_pyvalue_small_power_*.jsonl")
    assert responses_from_lm_eval(power).values == ("Power",)
    power.with_name("samples_pyvalue_small_power_2000-01-01.jsonl").write_bytes(power.read_bytes())
    with pytest.raises(ValueError, match="of one task"):
        responses_from_lm_eval(tmp_path / "tiny")


def test_bad_arguments_and_results_are_named(small_inventory, tiny_model, tmp_path, results):
    with pytest.raises(ValueError, match="design: expected one repeat"):
        value_tasks(small_inventory, PEOPLE, design=pv.Design(repeats=2))
    with pytest.raises(ValueError, match="names must be unique"):
        value_tasks(small_inventory, [PEOPLE[0], PEOPLE[0]])
    with pytest.raises(ValueError, match="log_samples=True"):
        responses_from_lm_eval({"results": {}})
    with pytest.raises(ValueError, match="no samples of the tasks"):
        responses_from_lm_eval({"samples": {"arc": [{"doc": {"question": "?"}}]}})
    with pytest.raises(StoreError, match="--log_samples"):
        responses_from_lm_eval(tmp_path)
    (tmp_path / "samples_x_1.jsonl").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        responses_from_lm_eval(tmp_path)
    cut = [
        {**sample, "filtered_resps": sample["filtered_resps"][:2]}
        for sample in results["samples"]["pyvalue_small_power"]
    ]
    with pytest.raises(ValueError, match="log-likelihoods"):
        responses_from_lm_eval({"samples": {"pyvalue_small_power": cut}})


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(-1, 1)), min_size=4, max_size=40))
def test_clustered_errors_are_those_of_inspect(rows):
    """Both packages give one number for one table."""
    metrics = pytest.importorskip("inspect_ai.scorer", reason="inspect-ai is not installed")
    clusters, numbers = [name for name, _ in rows], [number for _, number in rows]
    scores = [
        metrics.SampleScore(score=metrics.Score(value=number), sample_metadata={"persona": name})
        for name, number in rows
    ]
    found = clustered_error(numbers, clusters)
    if len(set(clusters)) < 2:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(metrics.stderr(cluster="persona")(scores), abs=1e-12)


def test_a_missing_package_is_named_with_its_extra():
    code = (
        "import sys; sys.modules['lm_eval'] = None\n"
        "import pyvalue.harnesses as h\n"
        "h.responses_from_lm_eval\n"
        "try:\n    h.value_tasks\nexcept ImportError as fault: print(fault)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'pyvalue[harness]'" in done.stdout
