"""Names that the shell completes. Reads lists that are at hand, and loads nothing."""

from __future__ import annotations

from collections.abc import Callable

TESTS = ("auto", "fisherz", "spearman", "polychoric", "chisq", "gsq", "degenerate_gaussian", "rcot")
SCHEMES = ("bootstrap", "m-of-n", "subsample", "complementary-pairs", "naive")
COLLIDER_RULES = ("sepset", "maxp", "definite-maxp", "conservative", "majority")
MISSING = ("raise", "drop", "test-wise")
BACKENDS = ("fast", "causal-learn")
MODELS = ("smollm2-135m-instruct", "openai:")
INVENTORIES = ("portrait", "seventeen")
SAES = ("demo",)
MODES = ("score", "generate", "free")
ENGINES = ("local", "ray")
SCORES = ("corrected", "raw", "centred", "ipsatised")
POSITIONS = ("all", "prompt", "generated")
DTYPES = ("float32", "bfloat16", "float16")
PICTURES = ("png", "svg")
ORDERS = ("yes-no", "no-yes")


def among(names: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Complete one of these names."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete
