"""Training an SAE: what is written against sae-lens and transformers, stops and resumption, refusals by name."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
sae_lens = pytest.importorskip("sae_lens", reason="training needs sae-lens")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from pyvalue.cli import app  # noqa: E402
from pyvalue.measurement.personas import make_personas  # noqa: E402
from pyvalue.models.sae import DEMO_FOLDER, SAE, load_sae  # noqa: E402
from pyvalue.models.sae_config import SAEConfig  # noqa: E402
from pyvalue.steering import sae_run, sae_writing  # noqa: E402
from pyvalue.steering.residual_activations import residual_activations, shuffled_batches  # noqa: E402
from pyvalue.steering.sae_quality import measure_sae, next_token_loss  # noqa: E402
from pyvalue.steering.sae_run import train_sae_on_file, train_sae_on_own_texts  # noqa: E402
from pyvalue.steering.sae_training import SAETraining, train_sae  # noqa: E402
from pyvalue.steering.self_written import write_texts  # noqa: E402
from pyvalue.steering.text_files import keep_texts, read_texts  # noqa: E402

PEOPLE = make_personas(7, seed=3)
SMALL = SAETraining(layer=1, features=63, active=6, tokens=24_000, batch=200, learning_rate=4e-3, held_out=0.1, seed=5)


@pytest.fixture(scope="module")
def texts(tiny_model, small_inventory):
    """120 texts of the tiny model, four batches of 30 with short answers."""
    batches = write_texts(tiny_model, small_inventory, PEOPLE, seed=5, batch_size=30, max_new_tokens=12)
    return [text for _ in range(4) for text in next(batches)]


@pytest.fixture(scope="module")
def trained(tiny_model, texts, tmp_path_factory):
    """(folder of a trained SAE, quality that was reported)."""
    folder = tmp_path_factory.mktemp("trained") / "sae"
    return folder, train_sae(tiny_model, texts, folder, SMALL)


def hidden_states(model, texts, layer):
    """Layer output at ordinary tokens by transformers' own ``output_hidden_states``, text by text: (n, d)."""
    found = []
    for text in texts:
        ids = model.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            states = model.network(input_ids=ids, output_hidden_states=True).hidden_states[layer + 1][0]
        keep = [place > 0 and int(i) not in model.tokenizer.all_special_ids for place, i in enumerate(ids[0])]
        found.append(states[torch.tensor(keep)])
    return torch.cat(found)


def split_of(texts, training):
    """(held out, training) as ``train_sae`` splits them."""
    order = np.random.default_rng(training.seed).permutation(len(texts))
    cut = int(len(texts) * training.held_out)
    return [texts[i] for i in order[:cut]], [texts[i] for i in order[cut:]]


def test_sae_lens_reads_what_was_written_and_computes_the_same(trained, tiny_model, texts):
    folder, _ = trained
    theirs, ours = sae_lens.SAE.load_from_disk(str(folder)), load_sae(folder)
    x = hidden_states(tiny_model, texts[:20], SMALL.layer)
    features = theirs.encode(x)
    torch.testing.assert_close(ours.encode(x), features, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.decode(features), theirs.decode(features), atol=1e-4, rtol=1e-4)
    assert int((features > 0).sum()) > 0
    assert theirs.cfg.metadata.hook_name == "blocks.1.hook_resid_post"


def test_reported_figures_are_those_of_sae_lens_and_transformers(trained, tiny_model, texts):
    folder, quality = trained
    held_out, _ = split_of(texts, SMALL)
    x = hidden_states(tiny_model, held_out, SMALL.layer)
    theirs = sae_lens.SAE.load_from_disk(str(folder))
    with torch.no_grad():
        features = theirs.encode(x)
        error = (theirs.decode(features).double() - x.double()).square().sum()
    variance = x.double().var(dim=0, correction=0).sum() * len(x)
    assert quality.held_out_tokens == len(x) > 300
    assert quality.variance_explained == pytest.approx(float(1 - error / variance), abs=2e-4)  # half precision
    assert quality.l0 == pytest.approx(float((features > 0).sum(dim=1).double().mean()), abs=0.01)
    assert quality.dead_features == int((~(features > 0).any(dim=0)).sum())


def test_the_sae_is_far_better_than_the_mean(trained, tiny_model, texts):
    _, quality = trained
    assert quality.variance_explained > 0.5
    # A random model predicts nothing, so that splicing may raise or lower its loss; it must move it less.
    moved = abs(quality.loss_spliced - quality.loss)
    assert moved < 0.5 * abs(quality.loss_mean_ablated - quality.loss)


def test_the_threshold_gives_the_wanted_number_of_active_features(trained, tiny_model, texts):
    folder, _ = trained
    _, training = split_of(texts, SMALL)
    x = hidden_states(tiny_model, training, SMALL.layer)
    features = sae_lens.SAE.load_from_disk(str(folder)).encode(x)
    assert float((features > 0).sum(dim=1).double().mean()) == pytest.approx(SMALL.active, rel=0.01)


def test_largest_activations_stand_beside_the_weights(trained, tiny_model, texts):
    folder, _ = trained
    _, training = split_of(texts, SMALL)
    features = sae_lens.SAE.load_from_disk(str(folder)).encode(hidden_states(tiny_model, training, SMALL.layer))
    stored = load_file(folder / "max_activations.safetensors")["max_activations"]
    # Training reads the residual stream in half precision, hence the tolerance.
    torch.testing.assert_close(stored, features.amax(dim=0).detach(), atol=0.02, rtol=0.01)


def test_the_configuration_says_how_it_was_made_and_not_where(trained, texts, tmp_path):
    folder, quality = trained
    said = (folder / "cfg.json").read_text(encoding="utf-8")
    metadata = json.loads(said)["metadata"]
    assert metadata["training"]["seed"] == SMALL.seed
    assert metadata["training"]["distinct_texts"] == len(split_of(texts, SMALL)[1])
    assert metadata["quality"]["variance_explained"] == round(quality.variance_explained, 4)
    assert str(folder.parent) not in said
    assert sorted(path.name for path in folder.parent.iterdir()) == ["sae"], "work of the training was left behind"


def test_losses_against_the_last_layer_computed_by_hand(tiny_model, texts):
    """At the last layer the rest of the model is a norm and a matrix, so splicing can be redone without a hook."""
    layer = tiny_model.n_layers - 1
    random = torch.Generator().manual_seed(1)
    shapes = [(64, 40), (40,), (40, 64), (64,)]
    weights = [torch.randn(*shape, generator=random) * 0.1 for shape in shapes]
    sae = SAE(SAEConfig("standard", 64, 40, f"blocks.{layer}.hook_resid_post"), *weights)
    entering, rows, targets = [], [], []
    handle = tiny_model.network.model.norm.register_forward_pre_hook(lambda _m, inputs: entering.append(inputs[0][0]))
    some = texts[:5]
    special = torch.tensor(tiny_model.tokenizer.all_special_ids)
    for text in some:
        ids = tiny_model.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            tiny_model.network(input_ids=ids)
        ordinary = ~torch.isin(ids[0], special)
        ordinary[0] = False
        rows.append(ordinary)
        targets.append(ids[0])
    handle.remove()
    mean = torch.cat([h[o] for h, o in zip(entering, rows, strict=True)]).mean(dim=0)

    def loss(change):
        losses = []
        for h, ordinary, ids in zip(entering, rows, targets, strict=True):
            changed = torch.where(ordinary[:, None], change(h), h)
            with torch.no_grad():
                logits = tiny_model.network.lm_head(tiny_model.network.model.norm(changed)).double()
            surprise = -logits[:-1].log_softmax(dim=-1).gather(1, ids[1:, None])[:, 0]
            losses.append(surprise[ordinary[1:]])
        return float(torch.cat(losses).mean())

    quality = measure_sae(tiny_model, sae, some)
    assert quality.loss == pytest.approx(loss(lambda h: h), rel=1e-4)
    assert quality.loss_spliced == pytest.approx(loss(lambda h: sae.decode(sae.encode(h))), rel=1e-3)
    assert quality.loss_mean_ablated == pytest.approx(loss(lambda h: mean.expand_as(h)), rel=1e-3)
    share = (quality.loss_mean_ablated - quality.loss_spliced) / (quality.loss_mean_ablated - quality.loss)
    assert quality.loss_recovered == pytest.approx(share)
    exact = next_token_loss(tiny_model, some, layer, lambda h: h)
    assert exact == pytest.approx(quality.loss, rel=1e-6), "the hook must change nothing but what it is told to"


def sorted_rows(x):
    return x[np.lexsort(x.double().numpy().T)]


def test_activations_on_disk_are_those_in_memory_and_those_of_transformers(tiny_model, texts, tmp_path):
    some = texts[::3]
    memory = residual_activations(tiny_model, some, 2, batch_size=7)
    disk = residual_activations(tiny_model, some, 2, batch_size=7, file=tmp_path / "x.npy")
    assert torch.equal(memory, disk)
    assert memory.dtype == torch.float16
    theirs = hidden_states(tiny_model, some, 2)
    assert memory.shape == theirs.shape
    torch.testing.assert_close(
        memory.double().sum(dim=0), theirs.double().sum(dim=0), rtol=0.01, atol=len(theirs) / 1e3
    )


def test_training_from_disk_gives_the_same_weights(trained, tiny_model, texts, tmp_path):
    short = dataclasses.replace(SMALL, tokens=2_000)
    train_sae(tiny_model, texts, tmp_path / "memory", short)
    train_sae(tiny_model, texts, tmp_path / "disk", short, memory_limit=0)
    one, other = (load_file(tmp_path / name / "sae_weights.safetensors") for name in ("memory", "disk"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_quality_is_measured_on_the_texts_that_are_given_for_it(tiny_model, texts, tmp_path):
    short = dataclasses.replace(SMALL, tokens=400)
    with pytest.raises(ValueError, match="held_out: expected at least 1 text"):
        train_sae(tiny_model, texts, tmp_path / "sae", short, held_out=[])
    (tmp_path / ".sae.part").mkdir()  # what a killed run left
    quality = train_sae(tiny_model, texts[:110], tmp_path / "sae", short, held_out=texts[110:])
    assert quality.held_out_tokens == len(hidden_states(tiny_model, texts[110:], SMALL.layer))
    assert quality == measure_sae(tiny_model, load_sae(tmp_path / "sae"), texts[110:])
    training = json.loads((tmp_path / "sae" / "cfg.json").read_text(encoding="utf-8"))["metadata"]["training"]
    assert (training["distinct_texts"], training["held_out_texts"], training["held_out"]) == (110, 10, 0)
    assert training["distinct_tokens"] == len(hidden_states(tiny_model, texts[:110], SMALL.layer))
    assert [path.name for path in tmp_path.iterdir()] == ["sae"]


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 40), batch=st.integers(1, 50), seed=st.integers(0, 5))
def test_every_pass_over_the_activations_sees_each_once(n, batch, seed):
    x = torch.arange(n).half()[:, None]
    size = min(n, batch)
    batches = shuffled_batches(x, batch, seed)
    for _ in range(3):
        seen = torch.cat([next(batches) for _ in range(n // size)])[:, 0].tolist()
        assert len(seen) == len(set(seen)) == n // size * size


def run(tiny_model, small_inventory, folder, **changes):
    arguments = {"count": 120, "batch_size": 30, "max_new_tokens": 12, **changes}
    return train_sae_on_own_texts(tiny_model, small_inventory, PEOPLE, folder, **{"settings": SMALL, **arguments})


def test_a_run_killed_while_writing_goes_on_where_it_was(tiny_model, small_inventory, texts, tmp_path, monkeypatch):
    folder, kept = tmp_path / "sae", tmp_path / "sae.work" / "texts.jsonl"
    starts = []

    def killed(*args, start, **kwargs):
        starts.append(start)
        batches = write_texts(*args, start=start, **kwargs)
        yield next(batches)
        yield next(batches)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sae_run, "write_texts", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tiny_model, small_inventory, folder)
    assert not folder.exists()
    assert [json.loads(line)["text"] for line in kept.read_text(encoding="utf-8").splitlines()] == texts[:60]
    with kept.open("a", encoding="utf-8") as file:  # what a kill in the middle of a batch leaves
        file.write(json.dumps({"text": "one whole line of the next batch"}) + '\n{"text": "half a li')

    trained_on = []

    def seen(*args, **kwargs):
        starts.append(kwargs["start"])
        return write_texts(*args, **kwargs)

    def interrupted(_model, given_texts, *_, **__):
        trained_on.extend(given_texts)
        raise KeyboardInterrupt

    monkeypatch.setattr(sae_run, "write_texts", seen)
    monkeypatch.setattr(sae_run, "train_sae", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model, small_inventory, folder)
    assert starts == [0, 2]
    assert trained_on == texts, "resumed texts differ from those of a run that nobody stopped"
    assert kept.exists(), "texts are kept until the SAE is written"

    monkeypatch.undo()
    quality = run(tiny_model, small_inventory, folder)
    assert quality.variance_explained > 0.5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sae"]


def test_only_its_own_files_are_removed_from_a_work_folder(tiny_model, small_inventory, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    (work / "precious").touch()
    short = dataclasses.replace(SMALL, tokens=400)
    run(tiny_model, small_inventory, tmp_path / "sae", settings=short, work=work)
    assert sorted(path.name for path in work.iterdir()) == ["precious"]


def test_a_training_that_fails_leaves_nothing_behind(tiny_model, texts, tmp_path, monkeypatch):
    def fails(*_):
        raise RuntimeError("power cut")

    monkeypatch.setattr(sae_writing, "measure_sae", fails)
    with pytest.raises(RuntimeError, match="power cut"):
        train_sae(tiny_model, texts, tmp_path / "sae", dataclasses.replace(SMALL, tokens=400))
    assert list(tmp_path.iterdir()) == []


def test_texts_begun_with_other_arguments_are_not_mixed(tmp_path):
    def write(start):
        yield from ([f"text {number}", "other"] for number in range(start, 99))

    file = tmp_path / "texts.jsonl"
    assert len(keep_texts(file, 5, 2, write, {"model": "a", "seed": 0})) == 5
    with pytest.raises(ValueError, match="seed 0 rather than 1"):
        keep_texts(file, 5, 2, write, {"model": "a", "seed": 1})
    with pytest.raises(ValueError, match="batch_size 2 rather than 3"):
        keep_texts(file, 5, 3, write, {"model": "a", "seed": 0})
    assert keep_texts(file, 7, 2, write, {"model": "a", "seed": 0})[6] == "text 3"


@pytest.mark.parametrize(
    ("name", "value"),
    [("layer", -1), ("features", 0), ("active", 0), ("active", 64), ("tokens", 199), ("batch", 0), ("seed", -1),
     ("learning_rate", 0.0), ("learning_rate", float("nan")), ("held_out", 0.0), ("held_out", 1.0)],
)  # fmt: skip
def test_bad_settings_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name}: expected .* got {value}"):
        dataclasses.replace(SMALL, **{name: value})


def test_bad_arguments_are_refused_before_any_work(tiny_model, small_inventory, texts, tmp_path):
    with pytest.raises(ValueError, match="layer: expected 0 to 3 for tiny, got 4"):
        train_sae(tiny_model, texts, tmp_path / "sae", dataclasses.replace(SMALL, layer=4))
    with pytest.raises(ValueError, match="texts: expected at least 100, got 99"):
        train_sae(tiny_model, texts[:99], tmp_path / "sae", SMALL)
    with pytest.raises(ValueError, match="texts: expected at least 100, got 99"):
        run(tiny_model, small_inventory, tmp_path / "sae", count=99)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").touch()
    with pytest.raises(ValueError, match=r"folder: .*full is not empty"):
        run(tiny_model, small_inventory, tmp_path / "full")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


def test_files_of_texts(tmp_path):
    plain, lines = tmp_path / "a.txt", tmp_path / "a.jsonl"
    plain.write_text("one\n\n  two words \u2028still two \n", encoding="utf-8")
    lines.write_text('{"text": "one\\nline two", "more": 1}\n{"text": "two"}\n', encoding="utf-8")
    assert read_texts(plain) == ["one", "two words \u2028still two"]
    assert read_texts(lines) == ["one\nline two", "two"]
    for content, message in (("", "holds no text"), ("{", "line 1 .* is not JSON"), ('"x"', 'line 1 .*"text"')):
        lines.write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match=f"^texts_from: .*{message}"):
            read_texts(lines)
    with pytest.raises(ValueError, match=r"^texts_from: .*cannot be read"):
        read_texts(tmp_path / "missing.txt")


def test_a_users_texts_get_the_token_that_the_model_begins_with(tiny_model, tmp_path, monkeypatch):
    file, given_texts = tmp_path / "a.txt", []
    file.write_text("one\n<|im_start|>two\n", encoding="utf-8")
    monkeypatch.setattr(sae_run, "train_sae", lambda _m, texts, *_, **__: given_texts.extend(texts))
    train_sae_on_file(tiny_model, file, tmp_path / "sae", SMALL)
    assert given_texts == ["one", "<|im_start|>two"], "this tokenizer puts nothing in front of a text"
    with monkeypatch.context() as patch:
        patch.setattr(sae_run, "_beginning", lambda _model: "<|im_start|>")
        given_texts.clear()
        train_sae_on_file(tiny_model, file, tmp_path / "sae", SMALL)
    assert given_texts == ["<|im_start|>one", "<|im_start|>two"]


def test_the_command_prints_the_quality_and_names_no_path(tiny_model, texts, tmp_path):
    tiny_model.network.save_pretrained(tmp_path / "my-model")
    tiny_model.tokenizer.save_pretrained(tmp_path / "my-model")
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    options = {"model": tmp_path / "my-model", "texts-from": file, "layer": 1, "features": 60, "active": 6}
    words = [
        word for name, value in (options | {"tokens": 3_000, "batch": 200}).items() for word in (f"--{name}", value)
    ]
    result = CliRunner().invoke(app, ["sae", "train", str(tmp_path / "out" / "sae"), *map(str, words)])
    assert result.exit_code == 0, result.output
    printed = dict(line.split() for line in result.stdout.splitlines())
    assert {"variance_explained", "l0", "dead_features", "loss_recovered"} <= printed.keys()
    config = (tmp_path / "out" / "sae" / "cfg.json").read_text(encoding="utf-8")
    assert json.loads(config)["metadata"]["model_name"] == "my-model"
    assert str(tmp_path) not in config
    again = CliRunner().invoke(app, ["sae", "train", str(tmp_path / "out" / "sae"), *map(str, words)])
    assert again.exit_code == 1
    assert "is not empty" in again.stderr


def test_the_bundled_sae_is_what_its_configuration_says():
    theirs, ours = sae_lens.SAE.load_from_disk(str(DEMO_FOLDER)), load_sae("demo")
    x = ours.b_dec + torch.randn(60, ours.config.d_in, generator=torch.Generator().manual_seed(0)) * 4
    features = theirs.encode(x)
    torch.testing.assert_close(ours.encode(x), features, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(ours.decode(features), theirs.decode(features), atol=1e-3, rtol=1e-4)
    assert sum(path.stat().st_size for path in DEMO_FOLDER.iterdir()) <= 10_000_000
    largest = load_file(DEMO_FOLDER / "max_activations.safetensors")["max_activations"]
    threshold = load_file(DEMO_FOLDER / "sae_weights.safetensors")["threshold"].float()
    fires = largest > 0
    assert largest.shape == (ours.config.d_sae,)
    assert bool((largest[fires] > threshold[fires]).all())
    quality = json.loads((DEMO_FOLDER / "cfg.json").read_text(encoding="utf-8"))["metadata"]["quality"]
    assert quality["loss_recovered"] >= 0.98
    assert int((~fires).sum()) <= quality["dead_features"]
