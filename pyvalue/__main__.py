"""``python -m pyvalue`` is the command ``pyvalue``."""

from pyvalue.cli import app

app(prog_name="pyvalue")
