"""What a user gets wrong: mypy has to say so in every line with a comment, else the types are empty."""

from __future__ import annotations

import pyvalue as pv

graph = pv.graph_from_edges(["a", "b"])
graph.directed_edge()  # wrong: attr-defined
graph.definite_descendants(3)  # wrong: arg-type
pv.discover([[1.0]], boostrap=100)  # wrong: call-arg
pv.Edit(feature=1, op="push")  # wrong: arg-type
pv.Responses.load("a").table = None  # wrong: misc
items = pv.load_inventory("portrait").itmes  # wrong: attr-defined
count: int = pv.Responses.load("a").valid_share  # wrong: assignment
