"""How a model folder is loaded in three libraries, as the text of its card.

Every block of code runs as it stands where the folder lies beside it.
"""

import json

from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.module_types import MULTI_VECTOR, SPLADE

TEXTS = '["How do I sort a list?", "sorted() returns a new list."]'
KIT = {
    None: "model = load({name})\nvectors = model.encode({texts}{prompt})\nprint(vectors @ vectors.T)",
    SPLADE: "model = load({name})\nprint(model.decode(model.encode_sparse({texts}), 10))",
    MULTI_VECTOR: "model = load({name})\nprint(model.encode_token_vectors({texts}))",
}
ENCODERS = {None: "SentenceTransformer", SPLADE: "SparseEncoder", MULTI_VECTOR: "MultiVectorEncoder"}
"""Classes of sentence-transformers."""
WHAT = {
    None: "vectors, so that texts of like meaning lie close",
    SPLADE: "weights of words (SPLADE), so that texts of like meaning share words",
    MULTI_VECTOR: "a vector for every token (ColBERT), so that texts of like meaning have tokens that lie close",
}
"""What a text becomes, by the head that the folder ends in."""
PEERS = """\
from sentence_transformers import {encoder}

model = {encoder}({name})
vectors = model.encode({texts}{prompt})
print(model.similarity(vectors, vectors))"""
PLAIN = """\
import torch
from transformers import AutoModel, AutoTokenizer

tokenizer, model = AutoTokenizer.from_pretrained({name}), AutoModel.from_pretrained({name}).eval()
texts = {texts}
inputs = tokenizer(texts, padding=True, truncation=True, max_length={length}, return_tensors="pt")
with torch.no_grad():
    states = model(**inputs).last_hidden_state
mask = inputs["attention_mask"]
vectors = {pooled}{normalize}"""
POOLED = {
    "mean": "(states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)",
    "cls": "states[:, 0]",
    "lasttoken": "states[torch.arange(len(states)), mask.cumsum(1).argmax(1)]",
    "max": "states.masked_fill(mask[..., None] == 0, float('-inf')).max(1).values",
    "mean_sqrt_len_tokens": "(states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).sqrt()",
}
NORMALIZED = "\nvectors = torch.nn.functional.normalize(vectors, dim=-1)"


def usage(folder: ModelFolder, name: str, *, base: str | None = None) -> str:
    """The part of a card on use: this kit, sentence-transformers, transformers; `base` is an adapter's own base."""
    words = _words(folder, name)
    parts = ["## Usage", of_kit(folder, name)]
    of_peers = words | {"encoder": ENCODERS[folder.head]}
    if base is not None:
        parts.append(
            f"This is an adapter: `adapter_config.json` names its base, `{base}`. " + _found(base) + " It needs `peft`."
        )
        if base.startswith("."):
            of_peers["name"] = '"."'
    parts.append(_code("sentence-transformers", PEERS, of_peers))
    parts.append(_transformers(folder, of_peers))
    return "\n\n".join(parts)


def of_kit(folder: ModelFolder, name: str) -> str:
    """The part on this kit alone."""
    return _code("mlx-metaembed", "from mlx_metaembed import load\n\n" + KIT[folder.head], _words(folder, name))


def _words(folder: ModelFolder, name: str) -> dict[str, str]:
    prompt = ', prompt_name="query"' if folder.prompts.get("query") else ""
    return {"name": json.dumps(name), "texts": TEXTS, "prompt": prompt}


def _found(base: str) -> str:
    """How other tools find an adapter's base."""
    if base.startswith("."):
        return (
            "mlx-metaembed looks for that path from the adapter's folder, so that both can be moved together; PEFT, "
            "transformers and sentence-transformers from the folder that they run in, so run them inside this one."
        )
    return (
        "It is an encoder installed from PyPI, which mlx-metaembed finds by that name and other tools do not: "
        "`metaembed export` makes a whole model for them."
        if "/" not in base
        else "It is fetched from the hub."
    )


def _transformers(folder: ModelFolder, words: dict[str, str]) -> str:
    """The third way; where transformers alone does not give the vectors, what lacks."""
    followed = folder.head or folder.is_tower or folder.dense or folder.truncate_dim or not folder.include_prompt
    if followed or folder.pooling not in POOLED:
        return (
            "### transformers\n\n`AutoModel.from_pretrained` gives the trunk's states; what comes after them is in "
            "`modules.json`, which sentence-transformers and mlx-metaembed follow."
        )
    normalize = NORMALIZED if folder.normalize else ""
    pooled = {"pooled": POOLED[folder.pooling], "normalize": normalize, "length": str(folder.max_seq_length)}
    prompt = folder.prompts.get("query")
    said = f"\n\nPut the prompt before each query: {prompt!r} + text." if prompt else ""
    return _code("transformers", PLAIN, words | pooled) + said


def _code(name: str, text: str, words: dict[str, str]) -> str:
    return f"### {name}\n\n```python\n{text.format(**words)}\n```"
