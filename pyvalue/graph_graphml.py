"""A ValueGraph as GraphML, from which nothing is lost, and back; also the GraphML of other tools.

A file may come from anywhere: documents that declare types or entities are refused before anything is expanded.
"""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path
from typing import Any, NoReturn
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

from pyvalue.atomic_files import replace_file
from pyvalue.errors import StoreError
from pyvalue.file_faults import check_regular, file_faults
from pyvalue.graph import ValueGraph
from pyvalue.graph_networkx import from_networkx, to_networkx

#: elements within one another; GraphML of nested groups has about ten
MAX_DEPTH = 100
# What XML 1.0 cannot say, not even escaped.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_graphml(graph: ValueGraph, path: str | Path) -> Path:
    """Write a GraphML file, whole or not at all; :func:`from_graphml` gives back an equal graph.

    A graph of arrows alone is written as a directed one. GraphML that networkx reads holds one kind of edge, so any
    other graph is written as an undirected one: nothing then draws a direction that the data do not tell. The edges'
    attributes say what they are: ``kind``, ``source``, ``target``, and with a bootstrap the strengths and frequencies;
    the graph's attributes hold the settings and all else as JSON.

    Args:
        graph: the graph.
        path: of the file.

    Returns:
        The path.

    Raises:
        ValueError: a name holds a character that XML cannot, or two names differ in their ends of lines alone.
        StoreError: the file cannot be written.
    """
    import networkx as nx

    for name in graph.names:
        if wrong := _NO_XML.search(name):
            raise ValueError(f"names: {name!r} holds {wrong[0]!r}, which XML cannot; rename the value")
    if len({name.replace("\r\n", "\n").replace("\r", "\n") for name in graph.names}) < len(graph.names):
        raise ValueError(
            "names: expected names that differ in more than their ends of lines, which XML reads as one kind"
        )
    content = to_networkx(graph)
    if len(graph.directed_edges()) == content.number_of_edges():
        arrows = nx.DiGraph(**content.graph)
        arrows.add_nodes_from(content)
        arrows.add_edges_from(
            (source, target, content.edges[source, target]) for source, target in graph.directed_edges()
        )
        content = arrows
    # The writer for the standard library: another one that is used where lxml is installed would write other bytes.
    replace_file(path, lambda scratch: nx.write_graphml_xml(content, scratch))
    return Path(path)


@file_faults("GraphML", StoreError)
def from_graphml(path: str | Path, *, names: str | None = None) -> ValueGraph:
    """Read a GraphML file that :func:`to_graphml` or another tool wrote.

    Edges of files of other tools are arrows where ``edgedefault`` is "directed", arrows both ways an undirected edge,
    and undirected edges elsewhere; see :func:`pyvalue.graph_networkx.from_networkx`.

    Args:
        path: of the file.
        names: attribute of the nodes that holds their names, such as "label" in files of yEd; default their ids.

    Raises:
        StoreError: it is no GraphML, or declares document types or entities.
        ValueError: it is the GraphML of something that is no value graph.
        FileNotFoundError: there is no such file.
    """
    import networkx as nx

    check_regular(path)
    content = Path(path).read_bytes()
    _check(content, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of layout that other tools add
            found: Any = nx.read_graphml(io.BytesIO(content))
    except (nx.NetworkXError, ParseError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as fault:
        raise StoreError(f"{path} is not GraphML that can be read: {fault}") from fault
    try:
        return from_networkx(found, names=names, origin=f"GraphML {Path(path).name}")
    except (TypeError, KeyError, OverflowError, AttributeError) as fault:
        raise StoreError(f"{path} holds settings that are not of a ValueGraph: {fault}") from fault


def _check(content: bytes, path: str | Path) -> None:
    """Refuse what is not well-formed, and what could harm: declared types and entities, elements without end."""
    parser = expat.ParserCreate()
    depth = 0

    def declared(*_: Any) -> NoReturn:
        raise StoreError(f"{path} declares a document type, which GraphML does without; it was not read further")

    def opened(*_: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise StoreError(f"{path} has more than {MAX_DEPTH} elements within one another; it was not read further")

    def closed(*_: Any) -> None:
        nonlocal depth
        depth -= 1

    parser.StartDoctypeDeclHandler = declared
    parser.EntityDeclHandler = declared
    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError) as fault:
        raise StoreError(f"{path} is not XML: {fault}") from fault
