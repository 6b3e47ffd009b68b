"""Arguments that sentence-transformers has and the kit does not: what they may say here, and what to do instead."""

import inspect
from collections.abc import Callable, Mapping

from mlx_metaembed.errors import CallError, faults, nearest

INSTEAD: dict[str, tuple[tuple, str]] = {
    "convert_to_numpy": ((True,), "vectors are NumPy arrays"),
    "convert_to_tensor": ((False, None), "vectors are NumPy arrays; torch.from_numpy(vectors) takes them as they are"),
    "convert_to_sparse_tensor": ((False, None), "encode_sparse gives ids and weights as NumPy arrays"),
    "output_value": (("sentence_embedding",), "a vector for every token comes from encode_token_vectors"),
    "device": ((None,), 'the engine chooses: load(model, engine="torch") or engine="mlx"'),
    "backend": ((None, "torch"), 'the engine is chosen by load(model, engine="torch") or engine="mlx"'),
    "pool": ((None,), "one process encodes, a chunk of texts at a time"),
    "chunk_size": ((None,), "one process encodes; batch_size bounds the texts of a chunk"),
    "task": ((None,), "a prompt's name chooses the task's adapter: prompt_name"),
    "sentences": ((), "the texts are the first argument"),
    "inputs": ((), "the texts are the first argument"),
    "trust_remote_code": ((False, None), "no code that lies in a model's folder is ever run"),
    "model_kwargs": ((None,), 'the arithmetic is chosen by load(model, dtype="float16")'),
    "safe_serialization": ((True,), "weights are written as safetensors alone"),
    "create_model_card": ((True,), "every folder has a README.md"),
    "train_datasets": ((None,), "a run's own folder has a README.md that names its data"),
}
"""By argument: the values that ask for what the kit does anyway, and the way to the others."""


def refuse(called: Callable, given: Mapping[str, object]) -> None:
    """Raise CallError for arguments that a function does not have, all at once, with what to do instead."""
    if not given:
        return
    known = [name for name, each in inspect.signature(called).parameters.items() if each.kind is not each.VAR_KEYWORD]
    wrong = []
    for name, value in given.items():
        same, instead = INSTEAD.get(name, ((), ""))
        if any(value is each or (isinstance(each, str) and value == each) for each in same):
            continue
        wrong.append(f"{name}={value!r:.60}: {instead}." if instead else f"{name}{nearest(name, known) or '.'}")
    if not wrong:
        return
    heading = f"{called.__name__} does not take"
    advice = f"Its arguments: {', '.join(name for name in known if name != 'self')}"
    if len(wrong) == 1:
        raise CallError(f"{heading} {wrong[0]} {advice}")
    raise faults(f"{heading}:", wrong, advice)
