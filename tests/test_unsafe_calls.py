"""The package never unpickles, evaluates, starts a shell, or reads XML that may declare entities."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for room in ("pyvalue", "kernels") for path in (ROOT / room).rglob("*.py"))
#: called by these names, whatever they are reached through
CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "os.execvp", "os.spawnl", "os.spawnv",
    "pickle.load", "pickle.loads", "pickle.Unpickler", "dill.loads", "joblib.load", "torch.load", "marshal.loads",
    "marshal.load", "shelve.open", "pd.read_pickle", "pandas.read_pickle", "yaml.load", "yaml.unsafe_load",
    "yaml.full_load", "tempfile.mktemp", "subprocess.getoutput", "ssl._create_unverified_context",
    "urllib.request.urlopen",
    "ElementTree.parse", "ElementTree.fromstring", "ET.parse", "ET.fromstring", "minidom.parse", "minidom.parseString",
    "etree.parse", "etree.fromstring", "sax.parse", "zipfile.ZipFile.extractall", "tarfile.open", "torch.jit.load",
}  # fmt: skip
ANY_RECEIVER = {"extractall", "read_pickle", "to_pickle"}
#: keywords and the only value that they may have
KEYWORDS = {"shell": False, "allow_pickle": False, "trust_remote_code": False, "verify": True}
MODULES = {
    "pickle",
    "dill",
    "joblib",
    "marshal",
    "shelve",
    "cloudpickle",
    "yaml",
    "telnetlib",
    "xml.sax",
    "xml.dom",
    "lxml",
}
#: file and call that is allowed, and why
ALLOWED = {
    ("pyvalue/reporting/svg.py", "ElementTree.fromstring"): "of pictures that matplotlib drew a moment ago",
    ("pyvalue/reporting/svg.py", "ElementTree.parse"): "of pictures that matplotlib drew a moment ago",
    ("pyvalue/graph_graphml.py", "expat.ParserCreate"): "which refuses declared types and entities",
}


def faults(source: str, file: str = "x.py") -> list[str]:
    """What a source calls or imports that it must not."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [f"imports {name}" for name in names if any((name + ".").startswith(m + ".") for m in MODULES)]
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        called = name in CALLS or any(name.endswith("." + one) for one in CALLS if "." in one)
        if (called or name.rpartition(".")[2] in ANY_RECEIVER) and (file, name) not in ALLOWED:
            found.append(f"line {node.lineno} calls {name}")
        for keyword in node.keywords:
            fixed = isinstance(keyword.value, ast.Constant) and keyword.value.value is KEYWORDS.get(
                keyword.arg or "", 0
            )
            if keyword.arg in KEYWORDS and not fixed:
                found.append(f"line {node.lineno} passes {keyword.arg}={ast.unparse(keyword.value)}")
        if name in ("np.load", "numpy.load") and not any(keyword.arg == "allow_pickle" for keyword in node.keywords):
            found.append(f"line {node.lineno} calls {name} without allow_pickle=False")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_unsafe_call(path):
    assert faults(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')", "import pickle", "from pickle import loads", "torch.load(f)", "np.load(f)",
        "subprocess.run(c, shell=True)",
        "np.load(f, allow_pickle=True)", "AutoModel.from_pretrained(n, trust_remote_code=flag)",
        "archive.extractall(p)",
        "xml.etree.ElementTree.parse(f)", "tempfile.mktemp()", "import yaml", "client(verify=False)",
    ],
)  # fmt: skip
def test_the_check_sees_what_it_looks_for(source):
    assert faults(source)


@pytest.mark.parametrize("source", ["model.eval()", "np.load(f, allow_pickle=False)", "ast.literal_eval(t)",
                                    "re.compile('a')", "subprocess.run(['a'])"])  # fmt: skip
def test_the_check_lets_the_rest_be(source):
    assert not faults(source)
