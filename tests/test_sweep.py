"""A row's text is its own: the same alone and in any batch, after kills and where memory runs out; the table says all.

References: ``generate`` of transformers row by row, forward passes in float64, SplitMix64 on unsigned numbers of NumPy,
and the softmax that samples must follow.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

torch = pytest.importorskip("torch", reason="sweeps run a model")
transformers = pytest.importorskip("transformers", reason="sweeps run a model of transformers")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import pyvalue.steering.sweep as sweep_module  # noqa: E402
from pyvalue.errors import ModelError, StoreError  # noqa: E402
from pyvalue.models.edits import Direction, Edit, indices, span  # noqa: E402
from pyvalue.models.repetition import repetition  # noqa: E402
from pyvalue.models.row_seeds import RowSampler, row_seed, splitmix64, uniform_noise  # noqa: E402
from pyvalue.models.sae import SAE  # noqa: E402
from pyvalue.models.sae_config import SAEConfig  # noqa: E402
from pyvalue.steering.sweep import sweep  # noqa: E402
from pyvalue.steering.sweep_table import COLUMNS, SweepResult, load_sweep  # noqa: E402

PROMPTS = [
    "Should I help a neighbour?",
    "No",
    "You are a woman from Norway, an engineer. People call you kind and curious.",
    "Is it a mistake to spend an evening on pleasure",
    "Answer",
]
SAMPLED = {"temperature": 1.1, "top_p": 0.97, "max_new_tokens": 9, "repeats": 2, "seed": 4, "controls": 1}


@pytest.fixture(scope="session")
def configurations(tiny_sae):
    """One edit, two made together, a direction."""
    random = torch.Generator().manual_seed(5)
    vector = Direction(torch.randn(64, generator=random), "blocks.2.hook_resid_pre", "v")
    return {
        "push": Edit(feature=3, strength=0.8, sae=tiny_sae),
        "both": (
            Edit(feature=4, op="set", strength=4.0, sae=tiny_sae, positions="generated"),
            Edit(feature=5, op="ablate", sae=tiny_sae, positions=indices(-1)),
        ),
        "turn": Edit(op="direction", strength=1.5, direction=vector, positions="prompt"),
    }


@pytest.fixture(scope="session")
def whole(tiny_model, configurations):
    """Everything at once."""
    return sweep(tiny_model, PROMPTS, configurations, **SAMPLED, progress=False)


def texts_of(result: SweepResult) -> dict[tuple, str]:
    rows = result.table
    return dict(zip(zip(rows["edit"], rows["prompt"], rows["repeat"], strict=True), rows["text"], strict=True))


# the noise


def numpy_splitmix64(key: int, n: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        z = np.uint64(key % 2**64) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def test_the_generator_is_splitmix64():
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [x % 2**64 for x in splitmix64(torch.tensor([1234567]), 4)[0].tolist()] == published


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_the_generator_on_any_key(keys):
    got = splitmix64(torch.tensor(keys), 63).numpy().view(np.uint64)
    for row, key in zip(got, keys, strict=True):
        np.testing.assert_array_equal(row, numpy_splitmix64(key, 63))


def test_noise_is_uniform_and_not_shared_between_rows_and_steps():
    seeds = torch.tensor([0, 1, 0x9E3779B97F4A7C15 - 2**64, row_seed(0, "a")])
    noise = torch.cat([uniform_noise(seeds, step, 5000) for step in range(3)]).numpy()
    assert ((noise > 0) & (noise < 1)).all()
    assert stats.kstest(noise.ravel(), "uniform").pvalue > 1e-3
    correlation = np.corrcoef(noise) - np.eye(len(noise))
    assert np.abs(correlation).max() < 5 / np.sqrt(5000)
    # A row whose seed is one step of the generator further must not read the other row's noise one token later.
    assert abs(np.corrcoef(noise[0, 1:], noise[2, :-1])[0, 1]) < 5 / np.sqrt(5000)


@pytest.mark.parametrize("top_p", [1.0, 0.8])
def test_draws_follow_the_softmax(top_p):
    n, temperature = 6000, 0.7
    logits = torch.tensor([1.2, -0.4, 0.9, -2.0, 0.1, 2.0, -1.0])
    p = torch.softmax(logits.double() / temperature, dim=0).numpy()
    if top_p < 1:
        order = np.argsort(-p)
        kept = order[: 1 + int(np.searchsorted(np.cumsum(p[order]), top_p))]
        p = np.where(np.isin(np.arange(len(p)), kept), p, 0) / p[kept].sum()
    sampler = RowSampler([row_seed(7, i) for i in range(n)], 4, temperature, top_p)
    for step in range(2):
        scores = sampler(torch.zeros(n, 4 + step, dtype=torch.long), logits.expand(n, -1).clone())
        assert ((scores == 0).sum(dim=1) == 1).all() and torch.isneginf(scores).sum() == n * (len(p) - 1)
        counts = np.bincount(scores.argmax(dim=1).numpy(), minlength=len(p))
        assert counts[p == 0].sum() == 0
        assert stats.chisquare(counts[p > 0], n * p[p > 0]).pvalue > 1e-3


def test_log_probabilities_are_those_of_the_raw_scores():
    scores = torch.randn(5, 60, generator=torch.Generator().manual_seed(0)) * 3
    sampler = RowSampler([1, 2, 3, 4, 5], 2, 1.7, 0.5)
    chosen = sampler(torch.zeros(5, 2, dtype=torch.long), scores.clone()).argmax(dim=1)
    wanted = torch.log_softmax(scores.double(), dim=1).gather(1, chosen[:, None])
    torch.testing.assert_close(sampler.log_probabilities.double(), wanted, atol=1e-5, rtol=0)


# texts


def test_greedy_texts_are_those_of_generate_row_by_row(tiny_model, configurations):
    got = texts_of(sweep(tiny_model, PROMPTS, configurations, max_new_tokens=9, progress=False))
    for label, made in {"": (), **configurations}.items():
        edits = [made] if isinstance(made, Edit) else list(made)
        for prompt in PROMPTS:
            with tiny_model.edit(edits):
                assert got[label, prompt, 0] == tiny_model.generate([prompt], max_new_tokens=9, do_sample=False)[0]
    assert len(set(got.values())) > len(PROMPTS)  # the edits change something


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_the_batch_size_changes_no_text(tiny_model, configurations, whole, batch_size):
    again = sweep(tiny_model, PROMPTS, configurations, **SAMPLED, batch_size=batch_size, progress=False)
    exact = [name for name in COLUMNS if name != "log_probability"]
    pd.testing.assert_frame_equal(again.table[exact], whole.table[exact], check_exact=True)
    np.testing.assert_allclose(again.table["log_probability"], whole.table["log_probability"], atol=1e-4)


def test_rows_alone_are_rows_together(tiny_model, configurations, whole):
    together = texts_of(whole)
    for prompt in PROMPTS[1:4]:
        for label in configurations:
            alone = texts_of(sweep(tiny_model, [prompt], {label: configurations[label]}, **SAMPLED, progress=False))
            assert alone.items() <= together.items()
    turned = dict(reversed(configurations.items()))
    reordered = sweep(tiny_model, PROMPTS[::-1], turned, **SAMPLED, progress=False)
    assert texts_of(reordered) == together


def test_seeds_tell_rows_apart(tiny_model, configurations, whole):
    assert whole.table["seed"].is_unique
    other = sweep(tiny_model, PROMPTS, configurations, **{**SAMPLED, "seed": 5, "controls": 0}, progress=False)
    pairs = [(texts_of(whole)[key], text) for key, text in texts_of(other).items()]
    assert np.mean([a != b for a, b in pairs]) > 0.9
    repeats = whole.table.pivot(index=["edit", "prompt"], columns="repeat", values="text")
    assert (repeats[0] != repeats[1]).mean() > 0.9


def test_tokens_and_their_log_probabilities(tiny_model, configurations):
    made = configurations["push"]
    table = sweep(tiny_model, PROMPTS, [made], max_new_tokens=9, progress=False).table
    network = tiny_model.network
    for row in table.itertuples():
        ids = torch.tensor([tiny_model.tokenizer(row.prompt, add_special_tokens=False)["input_ids"]])
        with tiny_model.edit([made] if row.edit else []):
            written = network.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=9, do_sample=False,
                output_logits=True, return_dict_in_generate=True,
            )  # fmt: skip
        tokens = written.sequences[0, ids.shape[1] :]
        assert row.n_tokens == len(tokens)
        assert row.finished == (int(tokens[-1]) == tiny_model.tokenizer.eos_token_id)
        chances = torch.log_softmax(torch.cat(written.logits).double(), dim=-1).gather(1, tokens[:, None])
        assert row.log_probability == pytest.approx(float(chances.mean()), abs=1e-4)
        windows = [tuple(w) for w in tokens.unfold(0, 3, 1).tolist()] if len(tokens) > 2 else []
        repeated = sum(w in windows[:i] for i, w in enumerate(windows))
        assert row.repetition == pytest.approx(repeated / max(1, len(windows)))


def test_a_text_that_ends_early_is_finished_whatever_its_batch_does(tiny_model, whole):
    done = whole.table[whole.table["finished"]]
    assert 0 < len(done) < len(whole.table)
    assert (whole.table.loc[~whole.table["finished"], "n_tokens"] == SAMPLED["max_new_tokens"]).all()
    assert not whole.table["text"].str.contains("<|", regex=False).any()


def test_a_text_that_ends_at_once_is_no_cause_for_a_warning(tiny_model, tiny_sae):
    end = Direction(1e4 * tiny_model.network.lm_head.weight[2], "blocks.3.hook_resid_post")
    made = (
        Edit(op="direction", strength=1.0, direction=end, positions=indices(-1)),
        Edit(feature=4, op="set", strength=4.0, sae=tiny_sae, positions="generated"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = sweep(tiny_model, PROMPTS[:1], {"end": made[:1], "idle": made}, batch_size=1, progress=False)
    assert result.texts("end") == result.texts("idle") == [""]
    rows = result.table[result.table["edit"] != ""]
    assert rows["finished"].all() and (rows["n_tokens"] == 1).all() and (rows["log_probability"] > -1e-3).all()


def test_the_settings_that_a_model_brings_along_are_left_out_and_left_alone(tiny_model):
    own = tiny_model.network.generation_config
    plain = sweep(tiny_model, PROMPTS, [], max_new_tokens=9, progress=False)
    tiny_model.network.generation_config = brought = transformers.GenerationConfig(
        eos_token_id=2, pad_token_id=0, repetition_penalty=9.0, no_repeat_ngram_size=1, min_new_tokens=9
    )
    try:
        again = sweep(tiny_model, PROMPTS, [], max_new_tokens=9, progress=False)
        assert tiny_model.network.generation_config is brought
    finally:
        tiny_model.network.generation_config = own
    pd.testing.assert_frame_equal(again.table, plain.table)


def test_chats_go_through_the_template(tiny_model):
    chat = [{"role": "user", "content": "Should I help a neighbour?"}]
    text = tiny_model.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    asked = {"chat": chat, "text": text}
    result = sweep(tiny_model, asked, [], max_new_tokens=5, progress=False)
    assert result.prompts == ("chat", "text")
    assert len(set(result.texts())) == 1
    assert result.facts["study"]["prompts"] == {"chat": text, "text": text}


def test_a_tokenizer_without_padding_is_enough(tiny_model, tokenizer_of):
    from dataclasses import replace

    bare = tokenizer_of()
    bare.pad_token = None
    model = replace(tiny_model, tokenizer=bare)
    got = sweep(model, PROMPTS, [], max_new_tokens=5, progress=False)
    assert got.texts() == sweep(tiny_model, PROMPTS, [], max_new_tokens=5, progress=False).texts()


def test_repetition_counts_what_came_before():
    assert repetition([1, 2]) == 0
    assert repetition([1, 2, 3, 4]) == 0
    assert repetition([5] * 7) == pytest.approx(4 / 5)
    assert repetition([1, 2, 3, 1, 2, 3]) == pytest.approx(1 / 4)


# the folder


def test_a_folder_gives_the_table_of_memory(tiny_model, configurations, whole, tmp_path):
    stored = sweep(tiny_model, PROMPTS, configurations, **SAMPLED, folder=tmp_path, batch_size=32, progress=False)
    pd.testing.assert_frame_equal(stored.table, whole.table, check_exact=True)
    assert stored.facts == whole.facts
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "texts").iterdir()}
    again = sweep(tiny_model, PROMPTS, configurations, **SAMPLED, folder=tmp_path, progress=False)
    pd.testing.assert_frame_equal(again.table, whole.table, check_exact=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "texts").iterdir()} == files
    pd.testing.assert_frame_equal(load_sweep(tmp_path).table, whole.table, check_exact=True)


def test_an_interrupted_run_goes_on_with_another_batch_size(tiny_model, configurations, whole, tmp_path, monkeypatch):
    real, written = sweep_module.write_table, []

    def interrupted(path, table):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.extend([1])
        real(path, table)

    with monkeypatch.context() as patch:
        patch.setattr(sweep_module, "write_table", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sweep(tiny_model, PROMPTS, configurations, **SAMPLED, folder=tmp_path, batch_size=4, progress=False)
    assert len(load_sweep(tmp_path).table) == 12
    rest = sweep(tiny_model, PROMPTS, configurations, **SAMPLED, folder=tmp_path, batch_size=7, progress=False)
    assert texts_of(rest) == texts_of(whole)
    sizes = [len(pd.read_parquet(part)) for part in sorted((tmp_path / "texts").glob("part-*"))]
    assert sizes == [4] * 3 + [7] * 8 + [2]


KILLED = """
import sys, time
import torch
torch.set_num_threads(1)
import pyvalue.steering.sweep as module
from pyvalue.models.loading import load_model
real = module.write_table
def slowly(path, table):
    real(path, table)
    print(path.name, flush=True)
    time.sleep(0.1)
module.write_table = slowly
model = load_model(sys.argv[1], dtype="float32", device="cpu")
module.sweep(model, sys.argv[3:], [], folder=sys.argv[2], temperature=1.0, repeats=4, max_new_tokens=6, batch_size=2,
             progress=False)
"""


def test_two_kills_lose_at_most_the_batch_in_flight(tiny_model, tmp_path):
    tiny_model.network.save_pretrained(tmp_path / "model")
    tiny_model.tokenizer.save_pretrained(tmp_path / "model")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "model"), str(tmp_path / "run"), *PROMPTS]
    seen: list[str] = []
    for parts in (2, 3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            seen += [child.stdout.readline().strip() for _ in range(parts)]
            child.kill()  # SIGKILL
        assert child.returncode == -9
    stored = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "texts").glob("part-*")}
    assert seen == [f"part-{i:06d}.parquet" for i in range(5)]
    assert {path.name for path in stored} >= set(seen) and len(stored) <= 6
    from pyvalue.models.loading import load_model

    model = load_model(tmp_path / "model", dtype="float32", device="cpu")
    options = dict(temperature=1.0, repeats=4, max_new_tokens=6, batch_size=2, progress=False)
    finished = sweep(model, PROMPTS, [], folder=tmp_path / "run", **options)
    assert stored.items() <= {path: path.stat().st_mtime_ns for path in stored}.items()
    whole = sweep(model, PROMPTS, [], **options)
    exact = [name for name in whole.table.columns if name != "log_probability"]  # its last bit is a process's own
    pd.testing.assert_frame_equal(finished.table[exact], whole.table[exact], check_exact=True)
    pd.testing.assert_frame_equal(finished.table, whole.table, rtol=1e-5)


def test_another_study_is_refused_by_what_differs(tiny_model, configurations, tmp_path):
    def run(prompts=PROMPTS, edits=configurations, **changes):
        options = {"max_new_tokens": 3, "progress": False, **changes}
        return sweep(tiny_model, prompts, edits, folder=tmp_path, **options)

    first = run()
    for changes, named in [
        ({"max_new_tokens": 4}, "max_new_tokens"),
        ({"seed": 1}, "seed"),
        ({"temperature": 0.5, "top_p": 0.5}, "temperature, top_p"),
        ({"prompts": [*PROMPTS, "new one"]}, "prompt_order, prompts.new one"),
        ({"edits": {"push": configurations["turn"]}}, "configurations.push"),
    ]:
        with pytest.raises(StoreError, match="belongs to another study") as refused:
            run(**changes)
        assert named in str(refused.value)
    pd.testing.assert_frame_equal(run().table, first.table)


def test_a_folder_of_measurements_is_no_folder_of_sweeps(tiny_model, small_inventory, tmp_path):
    from pyvalue.measurement.api import measure
    from pyvalue.measurement.personas import NO_PERSONA

    measure(tiny_model, small_inventory, [NO_PERSONA], folder=tmp_path, min_mass=0.0, progress=False)
    before = (tmp_path / "manifest.json").read_bytes()
    with pytest.raises(StoreError, match="belongs to another study"):
        sweep(tiny_model, PROMPTS, [], folder=tmp_path, max_new_tokens=2, progress=False)
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_one_process_at_a_time(tiny_model, tmp_path):
    with open(tmp_path / ".lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="in use by another process"):
            sweep(tiny_model, PROMPTS, [], folder=tmp_path, max_new_tokens=2, progress=False)


def test_a_damaged_part_is_named(tiny_model, tmp_path):
    sweep(tiny_model, PROMPTS, [], folder=tmp_path, max_new_tokens=2, progress=False)
    part = tmp_path / "texts" / "part-000000.parquet"
    part.write_bytes(part.read_bytes()[:-40])
    with pytest.raises(StoreError, match=r"part-000000\.parquet cannot be read"):
        sweep(tiny_model, PROMPTS, [], folder=tmp_path, max_new_tokens=2, progress=False)
    with pytest.raises(StoreError, match="no texts in"):
        load_sweep(tmp_path / "texts")


# memory


def out_of_memory_above(rows, monkeypatch, model, fault):
    real, sizes = model.network.generate, []

    def generate(*args, **kwargs):
        sizes.append(len(kwargs["input_ids"]))
        if sizes[-1] > rows:
            raise fault
        return real(*args, **kwargs)

    monkeypatch.setattr(model.network, "generate", generate)
    return sizes


@pytest.mark.parametrize(
    "fault",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes."),
        MemoryError(),
    ],
    ids=["cuda", "linux", "windows", "python"],
)
def test_where_memory_runs_out_batches_are_halved(tiny_model, configurations, whole, monkeypatch, fault):
    sizes = out_of_memory_above(5, monkeypatch, tiny_model, fault)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        got = sweep(tiny_model, PROMPTS, configurations, **SAMPLED, batch_size=24, progress=False)
    assert texts_of(got) == texts_of(whole)
    assert sizes[:4] == [24, 12, 6, 3] and set(sizes[4:-1]) == {3}
    assert ["memory runs out" in str(warning.message) for warning in said] == [True]
    assert said[0].filename == __file__


def test_where_one_row_is_too_much_the_fault_is_named(tiny_model, monkeypatch):
    out_of_memory_above(0, monkeypatch, tiny_model, MemoryError())
    with pytest.warns(UserWarning, match="memory runs out"), pytest.raises(ModelError, match="with one prompt of"):
        sweep(tiny_model, PROMPTS, [], max_new_tokens=2, progress=False)


def test_other_faults_are_not_swallowed(tiny_model, monkeypatch):
    sizes = out_of_memory_above(0, monkeypatch, tiny_model, RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        sweep(tiny_model, PROMPTS, [], max_new_tokens=2, progress=False)
    assert sizes == [5]


# the result


def test_the_table(whole):
    table = whole.table
    assert list(table.columns) == list(COLUMNS)
    per = len(PROMPTS) * 2
    assert whole.edits[:2] == ("", "push") and whole.edits[3] == "both" and len(whole.edits) == 7
    assert [len(whole.texts(edit)) for edit in whole.edits] == [per] * 7
    assert table["control"].tolist() == [True] * per + ([False] * per + [True] * per) * 3
    assert table["control_of"].tolist()[::per] == ["", "", "push", "", "both", "", "turn"]
    assert table["prompt"].tolist() == [p for p in PROMPTS for _ in range(2)] * 7
    assert {name: str(kind) for name, kind in table.dtypes.items()} == {
        **dict.fromkeys(["prompt", "edit", "control_of", "text"], "object"),
        **dict.fromkeys(["control", "finished"], "bool"),
        **dict.fromkeys(["repeat", "n_tokens"], "int32"),
        "seed": "int64",
        **dict.fromkeys(["log_probability", "repetition"], "float64"),
    }
    assert "70 texts: 5 prompts x (no edit + 3 edits + 3 controls)" in repr(whole)
    with pytest.raises(ValueError, match=r"edit must be one of '', 'push'.*got 'pull'"):
        whole.texts("pull")


def test_it_is_saved_and_loaded_whole(whole, tmp_path):
    back = load_sweep(whole.save(tmp_path / "texts.parquet"))
    pd.testing.assert_frame_equal(back.table, whole.table, check_exact=True)
    assert back.facts == whole.facts
    assert sorted(os.listdir(tmp_path)) == ["texts.parquet"]
    with pytest.raises(StoreError, match=r"no such file or folder: .*nothing\.parquet"):
        load_sweep(tmp_path / "nothing.parquet")
    with pytest.raises(StoreError, match="cannot write"):
        whole.save(tmp_path / "absent" / "texts.parquet")


def test_the_summary(whole):
    summary = whole.summary()
    assert tuple(summary.index) == whole.edits
    plain = whole.table[whole.table["edit"] == ""].reset_index(drop=True)
    for edit in whole.edits:
        rows = whole.table[whole.table["edit"] == edit].reset_index(drop=True)
        found = summary.loc[edit]
        assert found["texts"] == len(rows)
        assert found["changed"] == pytest.approx(np.mean(rows["text"] != plain["text"]))
        for name in ("n_tokens", "finished", "repetition", "log_probability"):
            assert found[name] == pytest.approx(rows[name].mean())
            assert found[f"{name}_change"] == pytest.approx(rows[name].mean() - plain[name].mean(), abs=1e-9)
    assert summary.loc["", "changed"] == 0 and summary.loc["push", "changed"] > 0


# bad input


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"prompts": []}, ValueError, "prompts must hold at least one"),
        ({"prompts": "text"}, TypeError, "prompts must be a sequence of texts.*got str"),
        ({"prompts": 3}, TypeError, "prompts must be a sequence of texts.*got int"),
        ({"prompts": [3]}, TypeError, "entry 0 is int 3"),
        ({"prompts": [{"role": "user", "content": "a"}]}, TypeError, "entry 0 is dict"),
        ({"prompts": {3: "a"}}, TypeError, "texts as ids, got int 3"),
        ({"prompts": ["a", "b", "a"]}, ValueError, "prompts must differ, but entry 2 is 'a' once more"),
        ({"prompts": ["a", ""]}, ValueError, "at least one token each, but 1 has none"),
        ({"prompts": ["a b" * 800]}, ValueError, "in the model's 1024"),
        ({"edits": "push"}, TypeError, "edits must be a sequence of edits.*got str"),
        ({"edits": ["push"]}, TypeError, "entry 0 is 'push'"),
        ({"edits": [[]]}, ValueError, "entry 0 holds no edit"),
        ({"controls": -1}, ValueError, "controls must be at least 0, got -1"),
        ({"controls": True}, TypeError, "controls must be an integer, got bool"),
        ({"repeats": 0}, ValueError, "repeats must be at least 1"),
        ({"repeats": 2}, ValueError, "repeats must be 1 at temperature 0"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"max_new_tokens": 0}, ValueError, "max_new_tokens must be at least 1"),
        ({"max_new_tokens": 2.5}, TypeError, r"max_new_tokens must be an integer, got float 2\.5"),
        ({"temperature": -0.1}, ValueError, r"temperature must be at least 0, got -0\.1"),
        ({"temperature": float("nan")}, ValueError, "temperature must be at least 0, got nan"),
        ({"temperature": "hot"}, TypeError, "temperature must be a number"),
        ({"top_p": 0}, ValueError, "top_p must be above 0 and at most 1, got 0"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"model": "smollm2"}, TypeError, "model must be a LanguageModel.*got str"),
    ],
)
def test_bad_input(tiny_model, monkeypatch, tmp_path, changes, error, message):
    monkeypatch.setattr(tiny_model.network, "generate", lambda *a, **k: pytest.fail("it ran"))
    arguments = {"model": tiny_model, "prompts": PROMPTS, "edits": [], "folder": tmp_path / "run", **changes}
    with pytest.raises(error, match=message):
        sweep(arguments.pop("model"), arguments.pop("prompts"), arguments.pop("edits"), **arguments)
    assert not (tmp_path / "run").exists()


def test_bad_edits(tiny_model, tiny_sae, monkeypatch):
    monkeypatch.setattr(tiny_model.network, "generate", lambda *a, **k: pytest.fail("it ran"))
    edit = Edit(feature=1, strength=2.0, sae=tiny_sae)
    zeros = [torch.zeros(*shape) for shape in [(60, 4), (4,), (4, 60), (60,)]]
    narrow = SAE(SAEConfig("standard", 60, 4, "blocks.1.hook_resid_post"), *zeros)
    deep = SAE(SAEConfig("standard", 64, 32, "blocks.9.hook_resid_post"), *(tiny_sae.W_enc, tiny_sae.b_enc),
               tiny_sae.W_dec, tiny_sae.b_dec)  # fmt: skip
    cases = [
        (edit, {}, TypeError, r"got one Edit; write \[edit\]"),
        ([edit, edit], {}, ValueError, "labels, but 'f1 add 2 @all' occurs twice"),
        ({"": edit}, {}, ValueError, "non-empty texts as names"),
        ([Edit(feature=1, strength=1.0, sae=narrow)], {}, ModelError, "is 60 wide, but the model's residual"),
        ([Edit(feature=1, strength=1.0, sae=deep)], {}, ModelError, "reads layer 9, but the model has layers 0 to 3"),
        ([edit], {"controls": 32}, ValueError, "controls=32 is not possible for 'f1 add 2 @all'.*only 31 other"),
        (
            [Edit(feature=1, strength=1.0, sae=tiny_sae, positions=span("neighbour"))], {}, ValueError,
            "does not fit the prompt 'No'.*'neighbour' is not in the prompt",
        ),
        (
            [Edit(feature=1, strength=1.0, sae=tiny_sae, positions=indices(5))], {}, ValueError,
            "does not fit the prompt 'No': index 5 is beyond",
        ),
        ([Edit(feature=1, strength=1.0, sae=tiny_sae, positions="generated")], {"max_new_tokens": 1}, ValueError,
         "max_new_tokens is 1, but .*'f1 add 1 @generated' changes nothing"),
        ([Edit(op="splice", sae=tiny_sae)], {"controls": 1}, ValueError, "controls=1 is not possible"),
    ]  # fmt: skip
    for edits, options, error, message in cases:
        with pytest.raises(error, match=message):
            sweep(tiny_model, ["No", *PROMPTS[:1]], edits, **{"max_new_tokens": 2, **options})


def test_a_chat_without_a_template_is_named(tiny_model, tokenizer_of):
    from dataclasses import replace

    model = replace(tiny_model, tokenizer=tokenizer_of(None))
    with pytest.raises(ModelError, match="'a' is a chat, but the model's tokenizer has no chat template"):
        sweep(model, {"a": [{"role": "user", "content": "b"}]}, [])


# What of it works.


def test_a_score_is_compared_prompt_by_prompt_by_students_t(whole):
    from scipy import stats

    summary = whole.summary(score=len)
    table = whole.table.assign(score=whole.table["text"].map(len).astype(float))
    plain = table[table["edit"] == ""].set_index(["prompt", "repeat"])["score"]
    for label, row in summary.iterrows():
        mine = table[table["edit"] == label].set_index(["prompt", "repeat"])["score"]
        change = (mine - plain).groupby("prompt").mean()
        assert row["score"] == pytest.approx(mine.mean())
        assert row["score_change"] == pytest.approx(change.mean())
        if change.std() > 0:
            low, high = stats.t.interval(0.95, len(change) - 1, change.mean(), stats.sem(change))
            assert (row["score_low"], row["score_high"]) == pytest.approx((low, high))
    assert "score" not in whole.summary().columns


def test_an_interrupted_sweep_says_how_much_is_missing(whole):
    from dataclasses import replace

    assert whole.wanted == len(whole.table)
    assert f"SweepResult(3 of {whole.wanted} texts: " in repr(replace(whole, table=whole.table.head(3)))


def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path):
    with pytest.raises(StoreError, match="no such file or folder"):
        load_sweep(tmp_path / "nothing.parquet")


def test_a_score_that_a_text_does_not_have_counts_nowhere(whole):
    """The interval is over the prompts that have a score."""
    from scipy import stats

    kept = set(PROMPTS[:3])
    marked = whole.table.assign(text=whole.table["text"] + "|" + whole.table["prompt"])
    from dataclasses import replace

    summary = replace(whole, table=marked).summary(lambda t: len(t) if t.rsplit("|", 1)[1] in kept else float("nan"))
    table = marked[marked["prompt"].isin(kept)].assign(score=lambda rows: rows["text"].str.len().astype(float))
    plain = table[table["edit"] == ""].set_index(["prompt", "repeat"])["score"]
    changes = {}
    for label in summary.index:
        mine = table[table["edit"] == label].set_index(["prompt", "repeat"])["score"]
        changes[label] = (mine - plain).groupby("prompt").mean()
        if changes[label].std() > 0:
            low, high = stats.t.interval(0.95, 2, changes[label].mean(), stats.sem(changes[label]))
            assert tuple(summary.loc[label, ["score_low", "score_high"]]) == pytest.approx((low, high))
    assert summary.loc[(summary["control_of"] != "") | (summary.index == ""), "over_controls"].isna().all()
    for label in summary.index[(summary["control_of"] == "") & (summary.index != "")]:
        its = [changes[control] for control in summary.index[summary["control_of"] == label]]
        over = changes[label] - sum(its) / len(its)
        assert summary.loc[label, "over_controls"] == pytest.approx(over.mean())


def test_other_maxima_are_another_study(tiny_model, tiny_sae, tmp_path):
    for maximum in (0.5, 50.0):
        sae = tiny_sae.with_max_activations(torch.full((32,), maximum))
        edit = Edit(feature=1, strength=1.0, unit="max_act", sae=sae, name="push")
        if maximum > 1:
            with pytest.raises(StoreError, match="belongs to another study"):
                sweep(tiny_model, PROMPTS[:1], [edit], folder=tmp_path, max_new_tokens=2, seed=3, progress=False)
        else:
            sweep(tiny_model, PROMPTS[:1], [edit], folder=tmp_path, max_new_tokens=2, seed=np.int64(3), progress=False)
