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

_EXPERTS = {"num_local_experts": 2, "num_experts_per_tok": 1}
_MAMBA = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 8, "mamba_n_groups": 1}
_LINEAR = {"linear_num_value_heads": 2, "linear_num_key_heads": 2, "linear_key_head_dim": 16,
           "linear_value_head_dim": 16}  # fmt: skip
# Models that cannot all go on from a computed beginning: windows under other names, ALiBi, recurrent states.
UNUSUAL: dict[str, tuple[str, dict[str, Any]]] = {
    "mistral": ("MistralConfig", {**GROUPED, "sliding_window": 16}),
    "gpt_neo": ("GPTNeoConfig", {"hidden_size": 32, "num_layers": 4, "num_heads": 2, "window_size": 16,
                                 "attention_types": [[["global", "local"], 2]], "initializer_range": 0.3}),
    "llama4": ("Llama4TextConfig", {**GROUPED, **_EXPERTS, "head_dim": 16, "attention_chunk_size": 16,
                                    "intermediate_size_mlp": 48}),
    "mpt": ("MptConfig", {"d_model": 32, "n_layers": 4, "n_heads": 2, "initializer_range": 0.3}),
    "bloom": ("BloomConfig", {"hidden_size": 32, "n_layer": 4, "n_head": 2, "initializer_range": 0.3}),
    "lfm2": ("Lfm2Config", {**GROUPED, "layer_types": ["conv", "full_attention"] * 2}),
    "qwen3_next": ("Qwen3NextConfig", {**GROUPED, **_LINEAR, "head_dim": 16, "num_experts": 2, "num_experts_per_tok": 1,
                                       "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16,
                                       "layer_types": ["linear_attention", "full_attention"] * 2}),
    "granite_hybrid": ("GraniteMoeHybridConfig", {**GROUPED, **_MAMBA, "layer_types": ["mamba", "attention"] * 2,
                                                  "num_local_experts": 0, "mamba_expand": 2,
                                                  "shared_intermediate_size": 48}),
    "mamba": ("MambaConfig", {"hidden_size": 32, "num_hidden_layers": 4, "state_size": 8, "initializer_range": 0.3}),
    "falcon_h1": ("FalconH1Config", {**GROUPED, **_MAMBA, "mamba_d_ssm": 64}),
    "minimax": ("MiniMaxConfig", {**GROUPED, "head_dim": 16, "block_size": 8, "num_local_experts": 2,
                                  "layer_types": ["linear_attention", "full_attention"] * 2}),
}  # fmt: skip


def family_model(name: str, tokenizer: Any) -> Any:
    """A model of one of ``FAMILIES`` or ``UNUSUAL`` in float32."""
    import torch
    import transformers

    from pyvalue.models.loading import LanguageModel

    kind, settings = (FAMILIES | UNUSUAL)[name]
    torch.manual_seed(0)
    config = getattr(transformers, kind)(vocab_size=len(tokenizer), **settings)
    network = transformers.AutoModelForCausalLM.from_config(config).float().eval().requires_grad_(False)
    return LanguageModel(name, network, tokenizer)
