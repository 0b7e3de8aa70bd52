"""Options that several commands share, with one help text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyvalue.cli import completion as names

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else.")]
Seed = Annotated[int, typer.Option(help="Of everything that is drawn.")]
Model = Annotated[
    str,
    typer.Option(
        help="Bundled name, local folder, Hugging Face id, or openai:NAME (the key comes from OPENAI_API_KEY).",
        autocompletion=names.among(names.MODELS),
    ),
]
Dtype = Annotated[
    str | None,
    typer.Option(
        help="float32, bfloat16 or float16; by the hardware by default.", autocompletion=names.among(names.DTYPES)
    ),
]
Device = Annotated[str | None, typer.Option(help="Such as cpu or cuda:0; the first GPU by default.")]
BaseURL = Annotated[str | None, typer.Option(help="Of a server with OpenAI's chat completions, for openai:NAME.")]
Inventory = Annotated[
    str,
    typer.Option(
        help="portrait, seventeen, or the path of a CSV or TOML file.", autocompletion=names.among(names.INVENTORIES)
    ),
]
Questionnaire = Annotated[
    list[str] | None,
    typer.Option(metavar="<name>", help="One of those in the inventory's file; may be repeated; default all."),
]
Items = Annotated[int | None, typer.Option(help="Ask so many items of each value, drawn in balance; default all.")]
Personas = Annotated[
    str, typer.Option(help="A number, made up by --seed on top of no persona; or a JSON file of {name: text}.")
]
Sae = Annotated[
    str | None,
    typer.Option(help="demo, or a folder or file of a sparse autoencoder.", autocompletion=names.among(names.SAES)),
]
Out = Annotated[Path, typer.Option(help="Run folder of the answers; the same command on it resumes.")]
Mode = Annotated[
    str,
    typer.Option(
        help="score (p of yes), generate (a thought and an answer) or free (advice, rated by --judge).",
        autocompletion=names.among(names.MODES),
    ),
]
Judge = Annotated[
    str | None,
    typer.Option(
        help="Model that rates free answers, or reads written ones that rules cannot; named as --model is.",
        autocompletion=names.among(names.MODELS),
    ),
]
Wordings = Annotated[int, typer.Option(help="Of each question: 1 is itself, 4 with its three paraphrases.")]
Orders = Annotated[
    list[str] | None,
    typer.Option(
        metavar="<order>",
        help="Of the options: yes-no (default) or no-yes; twice for both.",
        autocompletion=names.among(names.ORDERS),
    ),
]
Repeats = Annotated[int, typer.Option(help="Ask each question so many times; for sampled answers.")]
MinMass = Annotated[
    float, typer.Option(help="In mode score: an answer with less probability on yes and no together is missing.")
]
Temperature = Annotated[float, typer.Option(help="Of written answers; 0 takes the likeliest token.")]
MaxNewTokens = Annotated[int | None, typer.Option(help="Of a written answer; by the mode by default.")]
BatchSize = Annotated[int | None, typer.Option(help="Most questions in a forward pass; what fits by default.")]
MaxCost = Annotated[float | None, typer.Option(help="Dollars that a remote model may cost; dearer ones do not start.")]
Price = Annotated[
    str | None, typer.Option(help="Of a remote model: dollars per million tokens read and written, such as 0.15,0.60.")
]
Shared = Annotated[bool, typer.Option("--shared", help="Let other processes work on the folder at the same time.")]
Engine = Annotated[str, typer.Option(help="local (this process) or ray.", autocompletion=names.among(names.ENGINES))]
Address = Annotated[
    str | None, typer.Option(help="Of a running Ray cluster, such as auto; one on this machine by default.")
]
Workers = Annotated[int | None, typer.Option(help="Ray workers; one a GPU, or one a processor, by default.")]
Score = Annotated[
    str,
    typer.Option(
        help="corrected, raw, centred or ipsatised; see docs/measures.md.", autocompletion=names.among(names.SCORES)
    ),
]
