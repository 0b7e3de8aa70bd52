"""What ``pyvalue doctor`` finds, and what it keeps to itself."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pyvalue.cli import app, installation
from pyvalue.extras import how_to_install


def test_it_tells_versions_as_pip_does_and_prints_the_same_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "torch_build", lambda: None)  # takes seconds to import
    monkeypatch.setattr(installation, "kernels", lambda: {"triton": None})
    run = CliRunner().invoke(app, ["doctor", "--json"])
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout)
    assert found["base"]["numpy"] == metadata.version("numpy")
    assert found["core"]["works"] is True and found["broken"] == []
    assert found == json.loads(json.dumps(installation.examine()))
    text = CliRunner().invoke(app, ["doctor"])
    assert text.exit_code == 0 and f"numpy            {metadata.version('numpy')}" in text.stdout


def test_keys_are_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "torch_build", lambda: None)
    monkeypatch.setattr(installation, "kernels", lambda: {"triton": None})
    monkeypatch.setenv("OPENAI_API_KEY", "sk-verysecret123456")
    monkeypatch.setenv("RAY_ADDRESS", "ray://me:secretpass@head:10001")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    for words in (["doctor"], ["doctor", "--json"]):
        run = CliRunner().invoke(app, words)
        assert "verysecret" not in run.output and "secretpass" not in run.output
        assert "ray://***@head:10001" in run.output
    assert installation.keys()["OPENAI_API_KEY"] == "set" and installation.keys()["HF_TOKEN"] == "not set"


def test_a_missing_extra_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "EXTRAS", {"ci": ("no-such-package",)})
    assert installation.extras() == {"ci": {"no-such-package": f"missing: {how_to_install('ci')}"}}


def test_what_the_base_lacks_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    broken: list[str] = []
    assert installation.base_packages(broken, ("numpy", "no_such_package")) == {
        "numpy": metadata.version("numpy"),
        "no_such_package": "missing",
    }
    assert broken == ["no_such_package is missing, which pyvalue needs; run: pip install no_such_package"]
    monkeypatch.setattr(installation, "examine", lambda: {"pyvalue": "0", "broken": broken})
    run = CliRunner().invoke(app, ["doctor"])
    assert run.exit_code == 1 and broken[0] in run.stderr


def test_a_core_that_does_not_load_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    broken: list[str] = []

    def fails(_: str) -> None:
        raise ImportError("libstdc++ is too old")

    monkeypatch.setattr(installation.importlib, "import_module", fails)
    assert installation.core(broken)["works"] is False
    assert len(broken) == 1 and "libstdc++ is too old" in broken[0]


def test_extras_are_those_of_the_project() -> None:
    import re
    import tomllib

    project = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    name = re.compile(r"^[\w.-]+")
    told = {
        extra: tuple(name.match(one)[0] for one in given)
        for extra, given in project["project"]["optional-dependencies"].items()
    }
    assert {extra: told[extra] for extra in installation.EXTRAS} == installation.EXTRAS
    assert set(told) - set(installation.EXTRAS) == {"demo", "test", "dev"}  # they hold no package of their own
    assert tuple(name.match(one)[0] for one in project["project"]["dependencies"]) == installation.BASE


def test_sizes_of_folders_leave_links_alone(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 5000)
    inside = tmp_path / "cache"
    inside.mkdir()
    (inside / "file").write_bytes(b"y" * 100)
    (inside / "link").symlink_to(tmp_path / "big")
    assert 100 <= installation.size_of(inside) < 1000
    assert installation.size_of(tmp_path / "none") == 0


def test_the_hugging_face_folder_is_where_its_library_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs huggingface_hub")
    assert str(installation.hugging_face_cache()) == constants.HF_HUB_CACHE
    monkeypatch.setenv("HF_HOME", "/x")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    assert installation.hugging_face_cache() == Path("/x/hub")
