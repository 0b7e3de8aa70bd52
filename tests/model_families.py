"""Tiny random models of many families, with weights large enough that their answers differ."""

from __future__ import annotations

from typing import Any

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 2,
         "initializer_range": 0.3, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}  # fmt: skip
GROUPED = {**SIZES, "num_key_value_heads": 1}
WINDOW = {"head_dim": 16, "sliding_window": 24,
          "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]}  # fmt: skip
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", GROUPED),
    "gemma": ("GemmaConfig", {**GROUPED, "head_dim": 16}),
    "gemma2": ("Gemma2Config", {**GROUPED, **WINDOW, "final_logit_softcapping": 3.0}),
    "gemma3": ("Gemma3TextConfig", {**GROUPED, **WINDOW}),
    "qwen2": ("Qwen2Config", GROUPED),
    "qwen3": ("Qwen3Config", {**GROUPED, "head_dim": 16}),
    "granite": ("GraniteConfig", {**GROUPED, "logits_scaling": 4.0}),
    "cohere": ("CohereConfig", {**GROUPED, "logit_scale": 0.25}),
    "phi": ("PhiConfig", SIZES),
    "gpt2": ("GPT2Config", {"n_embd": 32, "n_layer": 4, "n_head": 2, "initializer_range": 0.3}),
    "gpt_neox": ("GPTNeoXConfig", SIZES),
    # whose layers return tuples
    "gptj": ("GPTJConfig", {"n_embd": 32, "n_layer": 4, "n_head": 2, "rotary_dim": 8, "initializer_range": 0.3}),
    "falcon": ("FalconConfig", {**SIZES, "alibi": False}),
}


def family_model(name: str, tokenizer: Any) -> Any:
    """A model of one of ``FAMILIES`` in float32."""
    import torch
    import transformers

    from pyvalue.models.loading import LanguageModel

    kind, settings = FAMILIES[name]
    torch.manual_seed(0)
    config = getattr(transformers, kind)(vocab_size=len(tokenizer), **settings)
    network = transformers.AutoModelForCausalLM.from_config(config).float().eval().requires_grad_(False)
    return LanguageModel(name, network, tokenizer)
