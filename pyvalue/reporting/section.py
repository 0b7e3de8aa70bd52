"""What a section of the report holds, whatever it is about. Draws and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pyvalue.reporting.tables import Table


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Attributes:
        name: of its files, ``figures/<name>.png`` and ``.svg``; unique on the page.
        figure: drawn by matplotlib.
        description: what it shows, for those who do not see it.
        caption: the line below it.
    """

    name: str
    figure: Figure
    description: str
    caption: str


@dataclass(frozen=True)
class File:
    """Numbers that are too many for the page, beside it.

    Attributes:
        name: of the file ``figures/<name>``; unique on the page.
        content: of the file.
        caption: what it holds.
    """

    name: str
    content: bytes
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of the page, in this order: paragraphs, points, pictures, tables. All texts are plain, and escaped later.

    Attributes:
        name: anchor, lower case with hyphens; unique on the page.
        title: heading.
        paragraphs: running text.
        points: a list below it.
        pictures: figures.
        tables: tables.
        files: beside the page, linked below the tables.
        missing: what to say where there is nothing to show; empty for a section that is filled.
    """

    name: str
    title: str
    paragraphs: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    missing: str = ""
    files: tuple[File, ...] = ()
