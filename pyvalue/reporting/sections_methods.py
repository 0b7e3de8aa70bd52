"""The section with the methods paragraph."""

from __future__ import annotations

from pyvalue.reporting.methods import Methods
from pyvalue.reporting.section import Section


def methods_section(found: Methods) -> Section:
    """The paragraph, and the references below it."""
    said = ("This paragraph can be pasted into a paper; it was written from the settings of what is shown above.",
            found.paragraph)  # fmt: skip
    return Section("methods", "Methods", said, found.references)
