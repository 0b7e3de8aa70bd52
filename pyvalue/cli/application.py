"""All commands under one name."""

from __future__ import annotations

from typing import Annotated

import typer

from pyvalue.cli.audit import audit
from pyvalue.cli.demo import demo
from pyvalue.cli.discover import discover
from pyvalue.cli.doctor import doctor
from pyvalue.cli.evaluate import evaluate
from pyvalue.cli.examples import examples
from pyvalue.cli.faults import OneLineGroup, one_line_faults
from pyvalue.cli.init import init
from pyvalue.cli.measure import measure
from pyvalue.cli.paper import paper
from pyvalue.cli.plan import plan
from pyvalue.cli.report import report
from pyvalue.cli.run import run
from pyvalue.cli.sae_train import sae_train
from pyvalue.cli.steer import steer

app = typer.Typer(
    cls=OneLineGroup,
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="What a language model values, and what moves together.",
    epilog=examples(
        "pyvalue demo                        # everything, on a bundled model",
        "pyvalue init && pyvalue run study.toml",
        "pyvalue discover answers.csv --bootstrap 1000",
        "pyvalue doctor                      # what is installed here",
        "pyvalue --install-completion        # names and options by the tab key",
    ),
)


def _version(wanted: bool) -> None:
    if wanted:
        from pyvalue import __version__

        typer.echo(f"pyvalue {__version__}")
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version, and leave.")
    ] = False,
) -> None:
    """What a language model values, and what moves together."""


_COMMANDS = (
    (demo, ("pyvalue demo", "pyvalue demo --folder small --personas 20 --json")),
    (init, ("pyvalue init", "pyvalue init studies/mine.toml")),
    (
        run,
        ("pyvalue run study.toml", "pyvalue run study.toml --engine ray --workers 4", "pyvalue run study.toml --json"),
    ),
    (
        measure,
        (
            "pyvalue measure --personas 20 --out run/base",
            "pyvalue measure --model owner/name --personas people.json --wordings 4 --out run/base",
            "pyvalue measure --personas 20 --plan plan.json --out run/steered",
            "OPENAI_API_KEY=... pyvalue measure --model openai:NAME --personas 20 --out run/remote",
        ),
    ),
    (
        discover,
        (
            "pyvalue discover answers.csv --cluster person --bootstrap 1000",
            "pyvalue discover run/base --bootstrap 1000 --output graph.json",
            "pyvalue discover answers.parquet --test spearman --drop age --json",
        ),
    ),
    (
        plan,
        (
            "pyvalue plan graph.json --raise Benevolence --keep Power --base run/base --output plan.json",
            "pyvalue plan graph.json --lower Power --base run/base --model smollm2-135m-instruct --sae demo \\",
            "    --positions all --strengths 0.3,-0.3 --output plan.json",
        ),
    ),
    (
        steer,
        (
            "pyvalue steer plan.json --personas 20 --out run/steered",
            'pyvalue steer plan.json --prompt "Should I help a stranger?"',
            "pyvalue steer plan.json --prompts questions.txt --json",
        ),
    ),
    (
        evaluate,
        (
            "pyvalue evaluate plan.json run/base run/steered",
            "pyvalue evaluate plan.json run/base run/steered --output evaluation.json --json",
        ),
    ),
    (
        report,
        (
            "pyvalue report run",
            "pyvalue report run/base graph.json plan.json run/steered evaluation.json --output report",
            "pyvalue report graph.json --reference people.json --output report",
        ),
    ),
    (paper, ("pyvalue paper data", "pyvalue paper data --model gemma --output figures --pictures svg")),
    (
        audit,
        ("pyvalue audit train.csv --test test.csv", "pyvalue audit train.csv --graph graph.json --output audit.json"),
    ),
    (doctor, ("pyvalue doctor", "pyvalue doctor --json")),
)
_CODES = {
    "paper": "0 all comparisons match, 1 a figure differs or a fault, 2 wrong use, 130 interrupted",
    "doctor": "0 what the base install needs works, 1 some of it does not, 2 wrong use, 130 interrupted",
}

for _command, _shown in _COMMANDS:
    _name = _command.__name__
    _codes = {"codes": _CODES[_name]} if _name in _CODES else {}
    app.command(_name, epilog=examples(*_shown, **_codes))(one_line_faults(_command))

sae_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Sparse autoencoders.")
sae_app.command(
    "train",
    epilog=examples(
        "pyvalue sae train my-sae",
        "pyvalue sae train my-sae --model owner/name --layer 12 --features 16384 --texts-from texts.jsonl",
    ),
)(one_line_faults(sae_train))
app.add_typer(sae_app, name="sae")
