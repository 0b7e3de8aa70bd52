"""Scripts and data inside the page: data that no text of theirs can turn into markup, and a policy that lets only the
page's own scripts run."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pyvalue.visible_text import visible


def data_for_script(content: Any) -> Markup:
    """JSON for a ``<script type="application/json">``.

    Inside of a script element a browser knows no entities and ends it at ``</script``, so ``<``, ``>`` and ``&`` are
    written as JSON's own escapes, as is all that is not ASCII. Control and direction characters are spelt out, since
    the script shows texts.
    """
    text = json.dumps(_visible(content), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _visible(content: Any) -> Any:
    if isinstance(content, str):
        return visible(content, lines=True)
    if isinstance(content, Mapping):
        return {key: _visible(entry) for key, entry in content.items()}
    return [_visible(entry) for entry in content] if isinstance(content, list | tuple) else content


def security_policy(scripts: Sequence[str]) -> str:
    """A Content-Security-Policy: nothing is loaded, and no script runs but these, which are known by their hashes.

    Styles may be inline, as Bokeh makes some; its icons and matplotlib's images are ``data:`` addresses.
    """
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts]
    allowed = " ".join(hashes) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
