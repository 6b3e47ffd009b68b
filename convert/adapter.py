"""An adapter fused into its base on the way in: PEFT's, mlx-lm's, or the kit's own.

The base is read as any source is, so that its weights may be pickled, quantized or under a task model's names.
"""

from dataclasses import replace

from mlx_metaembed import adapters
from mlx_metaembed.convert import sources
from mlx_metaembed.convert.sources import Note, Tensors
from mlx_metaembed.files.safetensors import Tensor, read_tensor
from mlx_metaembed.folder import ModelFolder


def fuse(folder: ModelFolder, tensors: Tensors, note: Note) -> tuple[ModelFolder, Tensors]:
    """The folder without its adapter, and the base's tensors, by the trunk's names, with the adapter in them.

    Raises CallError as `adapters.read` does, or where a pickle of the adapter's holds more than tensors.
    """
    if folder.adapter is None:
        return folder, tensors
    pickled, arrays = folder.adapter / adapters.PICKLED, None
    if pickled.is_file() and not (folder.adapter / adapters.FILE).is_file():
        arrays = {name: _plain(tensor) for name, tensor in sources.file(pickled, note).items()}
    adapter = adapters.read(folder, tensors, arrays)
    changed = {}
    for path in adapter.modules:
        plain = _plain(tensors[f"{path}.weight"])
        changed[f"{path}.weight"] = adapters.fused(adapter, path, plain).astype(plain.dtype)
    note(f"The {adapter.kind} adapter of {folder.adapter} was fused into its base")
    return replace(folder, base=None, adapter=None), tensors | changed


def _plain(tensor: object) -> object:
    return read_tensor(tensor) if isinstance(tensor, Tensor) else tensor
