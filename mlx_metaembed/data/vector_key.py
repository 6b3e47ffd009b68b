"""The key of an array of vectors: a JSON beside the .npy that says of which texts its rows are, in order, and by whom.

The texts stand there as hashes of blocks, so that a row which differs is named. A file of an array that was written
again without its key is told from the key's own by its checksum.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import checksums, disk

MOST_BLOCKS = 1 << 10
"""Hashes of a key: up to so many texts each has its own."""
BYTES = 8
"""Of a hash, which meets another one's by chance, not by malice."""


@dataclass(frozen=True)
class VectorKey:
    """`count` texts in `blocks` of `rows_a_block`, hashed in order; `any_order` is one hash of them in whatever order.

    `made` says how the vectors were made: model, its fingerprint, head, prompt, width. `file` has the array's bytes and
    CRC-32.
    """

    count: int
    rows_a_block: int
    blocks: tuple[str, ...]
    any_order: str
    made: dict
    file: dict

    def difference(self, texts: Sequence[str]) -> str:
        """How the array's texts differ from `texts`, in words; empty where they are the same in the same order."""
        same = self._same_rows(texts)
        if self.count != len(texts):
            alike = f"; the first {same:,} are the same" if same else ""
            return f"it has {self.count:,} rows, and there are {len(texts):,} texts{alike}"
        if same >= self.count:
            return ""
        if self.any_order == _digests(texts, self.rows_a_block)[1]:
            return f"it has the same texts in another order, from row {same:,} on (from 0)"
        last = min(same + self.rows_a_block, self.count) - 1
        if last > same:
            return f"rows {same:,} to {last:,} (from 0) are not all of the same texts"
        return f"row {same:,} (from 0) is not of the text {texts[same]!r:.80}"

    def _same_rows(self, texts: Sequence[str]) -> int:
        """Rows at the start that are of the same texts, block by block."""
        found = _digests(texts, self.rows_a_block)[0]
        alike = 0
        for own, other in zip(self.blocks, found, strict=False):
            if own != other:
                break
            alike += 1
        return min(alike * self.rows_a_block, self.count, len(texts))


def path_of(array: Path) -> Path:
    """Where the key of an array's file lies."""
    return array.with_name(f"{array.name}.json")


def write(path: Path, array: Path, texts: Sequence[str], made: Mapping[str, object]) -> None:
    """Write the key of an array whose file, under whatever name, is there whole."""
    rows = 1
    while rows * MOST_BLOCKS < len(texts):
        rows *= 2
    blocks, any_order = _digests(texts, rows)
    key = VectorKey(len(texts), rows, tuple(blocks), any_order, dict(made), checksums.of_file(array))
    disk.write_json(path, asdict(key))


def read(array: Path) -> VectorKey | None:
    """The key of an array's file; None where there is none.

    Raises CallError where it is damaged, or is of another file.
    """
    path = path_of(array)
    if not path.is_file():
        return None
    found = disk.read_object(path)
    kinds = {"count": int, "rows_a_block": int, "blocks": list, "any_order": str, "made": dict, "file": dict}
    wrong = [name for name, kind in kinds.items() if type(found.get(name)) is not kind]
    if wrong:
        raise CallError(f"{path} is no key of vectors: {', '.join(wrong)} missing or of another kind. {_ANEW}")
    count, rows, blocks = found["count"], found["rows_a_block"], found["blocks"]
    if count < 1 or rows < 1 or len(blocks) != -(-count // rows) or not all(type(each) is str for each in blocks):
        raise CallError(f"{path} is damaged: {len(blocks)} blocks of {rows} for {count} texts. {_ANEW}")
    if damage := checksums.difference(array, found["file"]):
        raise CallError(f"{path} is not the key of {array} as it is now: {damage}. {_ANEW}")
    return VectorKey(**{name: found[name] for name in kinds} | {"blocks": tuple(blocks)})


_ANEW = "Embed the texts again with metaembed embed, or remove the key to go by the order alone"


def _digests(texts: Sequence[str], rows: int) -> tuple[list[str], str]:
    """The hash of each block of so many texts, and that of all of them in any order."""
    blocks, total = [], 0
    for first in range(0, len(texts), rows):
        # Readers differ in the spaces around a line, and no vector in anything.
        each = [_digest(text.strip().encode("utf-8", "surrogatepass")) for text in texts[first : first + rows]]
        total += sum(int.from_bytes(one, "little") for one in each)
        blocks.append((each[0] if rows == 1 else _digest(b"".join(each))).hex())
    return blocks, f"{total % (1 << 8 * BYTES):0{2 * BYTES}x}"


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=BYTES).digest()
