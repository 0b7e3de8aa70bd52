"""Small whole files of every kind, written by the package itself where it writes such files."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import pyvalue as pv
from pyvalue.measurement.inventory_files import write_rows
from pyvalue.measurement.items import Item
from pyvalue.measurement.manifest import Manifest
from pyvalue.responses import COLUMNS, Responses, make_table

VALUES = ("Power", "Security", "Hedonism")


def answers(personas: int = 3) -> Responses:
    """Two questions a value and one without, asked of a few personas."""
    rows = []
    for i, who in enumerate([f"p{k}" for k in range(personas)]):
        for j, value in enumerate([v for v in VALUES for _ in range(2)] + [""]):
            p = ((3 * i + 5 * j) % 9 + 0.5) / 10
            keying = 0 if not value else 1 if j % 2 else -1
            rows.append(
                {
                    "model": "m", "edit": "", "persona": who, "item": f"i{j}", "value": value, "keying": keying,
                    "text": f"Question {j}?", "status": "yes" if p > 0.5 else "no", "p_yes": p, "mass": 0.9,
                    "score": keying * (2 * p - 1) if keying else np.nan,
                }
            )  # fmt: skip
    return Responses(make_table(pd.DataFrame(rows).to_dict("list")), {"study": {"model": {"name": "m"}, "seed": 0}})


def graph() -> Any:
    """A graph with everything that a file of one may hold."""
    random = np.random.default_rng(0)
    a = random.normal(size=(60, 1))
    table = pd.DataFrame(np.hstack([a, a + random.normal(size=(60, 1)), random.normal(size=(60, 1))]), columns=VALUES)
    table["constant"] = 1.0
    known = pv.Knowledge(tiers=[["Power"], ["Security"]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a constant column is meant
        return pv.discover(table, bootstrap=4, keep_replicates=True, knowledge=known), table


def written(write: Callable[[Path], object], path: Path) -> bytes:
    """The bytes that ``write`` puts at ``path``."""
    write(path)
    return path.read_bytes()


def items() -> list[Item]:
    """Keyed, content-free and nonsense."""
    return [
        Item("a", "Power", 1, "Do you want power?", ("Is power what you want?",)),
        Item("b", "Power", -1, "Would you rather follow?", ("Do you like to follow?",)),
        Item("c", "Security", 1, 'Is "safety" dear to you, and calm?'),
        Item("d", "", 0, "Is N/A?"),
        Item("e", "", 0, "Do wugs gorp?", (), True),
    ]


def inventory(path: Path) -> None:
    """A file in the format that the ending says."""
    write_rows("own", items(), path)


VALUEBENCH = (
    b"questionnaire,item,value,agreement,question\r\n"
    b"NFCC1993,I feel at home in a crowd.,Preference for Order,1,Do you feel at home in a crowd?\r\n"
    b'NFCC1993,"I like to decide, fast.",Decisiveness,-1,"Do you like to decide, fast?"\r\n'
    b"LTO,Thrift matters to me.,Thrift,1,Does thrift matter to you?\r\n"
    b"LTO,Thrift matters to me.,Thrift,1,Does thrift matter to you now?\r\n"
)
PERSONAS = (
    json.dumps({"Ann": {"text": "You are Ann.", "attributes": {"age": 30, "traits": ["calm", "kind"], "ok": True}}}),
    json.dumps(
        {"Bo": {"bio2": "You are Bo.", "bio3": "Bo is here.", "mini_trait": "male, judge, INTJ"}, "Cy": "You are Cy."}
    ),
)
WIDE = b"edit,persona,Power,Security\n,Ann,0.5,-0.25\n,Bo,0.1,0.75\nf568 add,Ann,0.25,NA\nf568 add,Bo,-1,1\n"
PAPER = b"steer_dim,player_name,Power,Power:scstd,stds\n,Ann,0.5,0.1,0.2\n12.0,Ann,0.25,0.1,0.1\n12.0,Bo,-1,0,0\n"
COLUMNS_CSV = b"Power,Security,age\n0.5,-0.25,31\n0.1,0.75,40\n0.3,0.5,22\n-0.4,0.1,67\n"
SEMICOLONS = b"Power;Security\n0,5;-0,25\n0,1;0,75\n0,3;0,5\n"
TABLE_1 = b",Power,Security\n12,4/25/72/3/1/22,0/1/2/3/4/5\n568,1/1/1/1/1/1,9/9/9/9/9/9\n"
QUANTITIES = ("target gain", "expected change", "unexpected change", "contrast", "leakage")
GRAPHS = json.dumps(
    {"edges": {"human": [["Power", "Security", 0.4, "a"], ["Security", "Power", 0.4, "a"], ["Power", "Hedonism"]]}}
)
TEXTS = b'{"text": "One."}\n\n{"text": "Two."}\n'


def survey() -> bytes:
    """Respondents of the European Social Survey in its newer column names."""
    from pyvalue.evaluation.ess import ITEMS

    random = np.random.default_rng(1)
    table = pd.DataFrame(random.integers(1, 7, size=(4, len(ITEMS))), columns=[f"{item}a" for item in ITEMS])
    table.insert(0, "cntry", ["DE", "DE", "FR", "FR"])
    table.insert(0, "idno", range(1, 5))
    table["anweight"] = [0.5, 1.0, 1.5, 0.25]
    return table.to_csv(index=False).encode()


def manifest() -> bytes:
    """Of a run folder."""
    started = Manifest(
        {"model": {"name": "m", "layers": [1, 2]}, "seed": 0},
        {"python": "3.11"},
        "2026-01-01T00:00:00+00:00",
        ("pyvalue",),
    )
    done = started.with_status(1, 2)
    content = {"schema": 2, "study": done.study, "versions": done.versions, "started": done.started,
               "command": list(done.command), "status": done.status}  # fmt: skip
    return json.dumps(content).encode()


def sweep(path: Path) -> None:
    """Continuations without and under one edit."""
    from pyvalue.steering.sweep_table import SweepResult

    rows = [
        {"prompt": p, "edit": e, "control": not e, "control_of": "", "repeat": 0, "seed": 3, "text": f"{p} {e}",
        "n_tokens": 4,
         "finished": True, "log_probability": -1.5, "repetition": 0.0}
        for p in ("a", "b")
        for e in ("", "f1")
    ]  # fmt: skip
    SweepResult(
        pd.DataFrame(rows), {"study": {"prompts": ["a", "b"], "configurations": ["", "f1"], "repeats": 1}}
    ).save(path)


def sae_files() -> dict[str, bytes]:
    """Settings and weights of small SAEs, as other projects write them."""
    import torch
    from safetensors.torch import save

    d, f = 6, 10
    generator = torch.Generator().manual_seed(0)
    weights = {"W_enc": torch.randn(d, f, generator=generator), "W_dec": torch.randn(f, d, generator=generator),
               "b_enc": torch.zeros(f), "b_dec": torch.zeros(d), "threshold": torch.ones(f)}  # fmt: skip
    npz, packed = io.BytesIO(), io.BytesIO()
    np.savez(npz, **{key: value.numpy() for key, value in weights.items()})
    np.savez_compressed(packed, **{key: value.numpy() for key, value in weights.items()})
    settings = {"architecture": "jumprelu", "d_in": d, "d_sae": f, "dtype": "float32", "apply_b_dec_to_input": True,
                "normalize_activations": "none", "reshape_activations": "none",
                "metadata": {"hook_name": "blocks.3.hook_resid_post", "model_name": "tiny"}}  # fmt: skip
    old = {"d_in": d, "d_sae": f, "hook_point": "blocks.3.hook_resid_post", "activation_fn_str": "topk",
           "activation_fn_kwargs": {"k": 3}, "normalize_activations": "none"}  # fmt: skip
    return {
        "safetensors": save(weights, {"format": "pt"}),
        "npz": npz.getvalue(),
        "packed": packed.getvalue(),
        "cfg": json.dumps(settings).encode(),
        "old": json.dumps(old).encode(),
        "maxima": save({"max_activations": torch.ones(f)}),
    }


def long_answers() -> bytes:
    """Answers as a CSV file."""
    return answers().table[list(COLUMNS)].to_csv(index=False).encode()


def plan(graph: Any, effects: Any) -> Any:
    """A plan with effects, an edit as a file tells of it, and tables."""
    from pyvalue.models.edit_json import StoredEdit
    from pyvalue.steering.plan import SteeringPlan

    told = {"feature": 5, "op": "add", "strength": 0.3, "unit": "relative", "positions": "all", "label": "f5 add 0.3"}
    told |= {"sae": {"name": "demo", "sha256": "0" * 64}}
    ranges = [dict(value=v, relation="possible", minimum=-0.1, maximum=0.1, low=-0.2, high=0.2) for v in VALUES[1:]]
    return SteeringPlan(
        {"Power": 1}, {"Power": "target", "Security": "possible", "Hedonism": "unaffected"},
        edits=(StoredEdit("f5 add 0.3", told),), keep=("Hedonism",), effects=effects, unit_changes=pd.DataFrame(ranges),
        roles=pd.DataFrame([{"persona": "p1", "gain": 0.1, "leakage": 0.5}]), amount=0.1, choice="It leaks least.",
    )  # fmt: skip


def evaluation() -> Any:
    """Two values, and a summary of two quantities."""
    from pyvalue.evaluation.prediction import Evaluation

    row = {"predicted": "possible", "pairs": 5, "change": 0.1, "low": 0.0, "high": 0.2, "changed": True, "base": 0.2,
           "steered": 0.3, "predicted_low": -0.1, "predicted_high": 0.2, "covered": True}  # fmt: skip
    summary = [{"quantity": name, "estimate": 0.1, "low": 0.0, "high": 0.2} for name in QUANTITIES]
    facts = {"score": "corrected", "confidence": 0.95, "edit": "f5"}
    return Evaluation(pd.DataFrame([{"value": v, **row} for v in VALUES]), pd.DataFrame(summary), 5, facts)


DOT = b"""// by hand
digraph "values" {
  graph [rankdir=LR]; node [shape=box, label="\\N"];
  Power -> Security [weight=2, label="a \\"b\\""]; /* twice */
  Security -> Hedonism -> "Self-Direction" [dir=none];
  n1 [label="Universalism"]; Power -> n1 [dir=both, color="#ff0000"]
}
"""
GRAPHML = b"""<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><key id="d0" for="node" attr.name="label" attr.type="string"/>
<key id="d1" for="edge" attr.name="weight" attr.type="double"/><graph edgedefault="directed">
<node id="Power"><data key="d0">Power</data></node><node id="Security"/><node id="n2"/>
<edge source="Power" target="Security"><data key="d1">1.5</data></edge><edge source="n2" target="Power"/>
</graph></graphml>
"""
ENTITIES = GRAPHML.replace(
    b"<graphml", b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]>\n<graphml', 1
).replace(b">Power<", b">&y;&y;&y;<")
