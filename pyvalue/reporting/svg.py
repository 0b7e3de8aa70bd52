"""Figures as files, and as SVG that can stand inside an HTML page, with its text as text."""

from __future__ import annotations

import io
import re
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.figure import Figure

from pyvalue.reporting.theme import CSS_VARIABLES

#: text stays text (found, read aloud, selected); ids are the same in every run
_SVG: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "pyvalue"}
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """The figure as a PNG or SVG file on white; the same bytes in every run."""
    return _saved(figure, kind, transparent=False)


def inline_svg(figure: Figure, name: str, description: str) -> str:
    """The figure as an ``<svg>`` element: no namespaces, own ids, colours that follow the page's.

    Args:
        figure: to convert.
        name: put before every id, so that two figures of a page share none.
        description: what the picture shows, for those who do not see it.
    """
    root = ElementTree.fromstring(_saved(figure, "svg", transparent=True))
    for parent in list(root.iter()):
        for child in list(parent):
            # Its metadata names hosts, and its style sheet would hold for the whole page.
            if _local(child.tag) in ("metadata", "style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(key): _page_value(_local(key), text, name) for key, text in element.attrib.items()}
    width = root.attrib.pop("width", "")
    for useless in ("height", "version"):
        root.attrib.pop(useless, None)
    root.attrib |= {"role": "img", "aria-label": description, "style": f"max-width:{width or '100%'}"}
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _saved(figure: Figure, kind: str, transparent: bool) -> bytes:
    buffer = io.BytesIO()
    colours: dict[str, Any] = {"transparent": True} if transparent else {"facecolor": "white"}
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with matplotlib.rc_context(_SVG):
        figure.savefig(buffer, format=kind, dpi=160, metadata=metadata, **colours)
    return buffer.getvalue()


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _page_value(key: str, text: str, name: str) -> str:
    if key == "id":
        return f"{name}-{text}"
    if key == "href":
        return text.replace("#", f"#{name}-", 1)
    if key == "clip-path":
        return text.replace("url(#", f"url(#{name}-")
    if key == "style":
        return _COLOUR.sub(_themed, text)
    return text


def _themed(found: re.Match[str]) -> str:
    variable = CSS_VARIABLES.get(found[0])
    return f"var({variable}, {found[0]})" if variable else found[0]
