"""Texts, numbers and bytes that readers have stumbled over: what the mutations put in. Knows no file format."""

from __future__ import annotations

BIDI = "\u202egnp.exe\u2066"
TITLE = "\x1b]0;owned\x07\x1b[31mred\x1b[2J"
SCRIPT = "<script>alert(1)</script>"
FORMULA = '=HYPERLINK("http://x","y")'

TEXTS: tuple[str, ...] = (
    "", " ", "\x00", "a\x00b", "\n", "\r\n", "\t", TITLE, BIDI, SCRIPT, FORMULA, "+1+1", "@SUM(1)", "-2+3", "../../x",
    "/etc/passwd", "C:\\x", "a" * 5000, "\ud800", "\udfff\ud800", "e\u0301", "\u200b", "\ufeff", "\u2028", "NaN", "nan",
    "inf", "-inf", "Infinity", "1e999", "9" * 400, "0x10", "1_000", "None", "null", "true", "NA", "yes", "no", "-0",
    "\u0661\u0662", "\U0001f600", "'", '"', "`", "\\", "{}", "{0}", "{x.__class__}", "%s%n", "${HOME}", "$(id)", "; ls",
    "__class__", "__proto__", "edit", "persona", "Unnamed: 0", "none", "layer_12", "blocks.-1.hook_resid_post",
    "blocks.99999999999999999999.hook_resid_post", "]]>", "&amp;", "&x;", "<!--", "1970-01-01", "99999-99-99T99:99:99Z",
)  # fmt: skip
NUMBERS: tuple[int | float, ...] = (
    0, -1, 1, 2, 3, 7, 127, 128, 255, 256, 32767, 65536, 2**31 - 1, 2**31, -(2**31), 2**32, 2**53 + 1, 2**63 - 1, 2**63,
    -(2**63), 2**64, 10**9, 10**18, 10**30, 10**400, 0.5, -0.0, 1e-320, 1e308, float("nan"), float("inf"),
    -float("inf"),
)  # fmt: skip
DEEP = 100_000

#: pieces of files: of JSON, TOML, CSV, XML, DOT, zip, numpy, Parquet
TOKENS: tuple[bytes, ...] = (
    *(text.encode("utf-8", "surrogatepass") for text in TEXTS),
    *(str(number).encode() for number in NUMBERS if number != 10**400),
    b"1" + b"0" * 5000, b"[" * 3000, b"]" * 50, b'{"a":' * 3000, b"(" * 300, b"NaN", b"-Infinity", b"null", b"true",
    b"[]", b"{}", b'""', b"\\ud800", b"\\u0000", b"\xff", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc0\x80",
    b"\xed\xa0\x80",
    b",", b";", b"|", b"\t", b'"', b"'", b"\n", b"\r", b"\r\n", b"\x1a", b":", b"=", b"#", b"[[", b"]]", b'"""', b"'''",
    b"->", b"--", b"{", b"}", b"<", b">", b"</", b"/>", b"<!DOCTYPE a [<!ENTITY x 'y'>]>", b"&x;", b"<![CDATA[",
    b"a.b.c",
    b"(2000000000, 2000000000)", b"(-1,)", b"'|O'", b"'<f8'", b"True", b"__import__('os')", b"PK\x03\x04",
    b"PK\x05\x06",
    b"PAR1", b"\x93NUMPY", b"\x80\x04.", b"cos\nsystem\n(S'id'\ntR.",
)  # fmt: skip
