"""index.json: how an index was made, and the size and checksum of each file beside it.

usearch ends the process on a damaged graph instead of raising, so no file is handed to it before its checksum fits.
"""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from mlx_metaembed.codes import files as codes
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.files import checksums, disk
from mlx_metaembed.search import corpus, scalars

FORMAT = "metaembed-index-1"
ABOUT, GRAPH = "index.json", "vectors.usearch"
CODES, ORIGINALS, CODE = "codes.npy", "vectors.npy", "code"
"""Of an index of codes: the codes, vectors that candidates are compared by again, and the codec's folder."""
TEXTS = ("prompts", "fingerprint")
"""Fields that hold texts by name."""
LATER = ("fingerprint", "code", "rescore")
"""Fields that an index of an earlier release does not have."""
EXACT_ROWS = 10_000
"""Up to so many rows every one is compared."""
RESCORES = ("f16", "i8")
AGAIN = "Build it again with: metaembed index MODEL CORPUS OUT"


@dataclass(frozen=True)
class About:
    """Which model gave the vectors, their width, how they are stored and compared, how many, prompts, longest text.

    `fingerprint` is the model's; an index of an earlier release has none.
    """

    model: str
    dims: int
    dtype: str
    metric: str
    count: int
    prompts: dict[str, str]
    max_seq_length: int
    fingerprint: dict[str, str] = field(default_factory=dict)
    code: str = ""
    """The name of the code that a vector is stored as, empty where it is none; the dtype is then "code"."""
    rescore: str = ""
    """How the vectors are stored by which the code's candidates are compared again, empty where they are not."""

    @property
    def exact(self) -> bool:
        """Whether a search compares every row rather than walk the graph."""
        return bool(self.code) or self.count <= EXACT_ROWS

    @property
    def files(self) -> tuple[str, ...]:
        """The files beside index.json."""
        vectors = (GRAPH,)
        if self.code:
            vectors = (CODES, *(f"{CODE}/{name}" for name in (codes.ABOUT, codes.ARRAYS)))
            vectors += (ORIGINALS,) if self.rescore else ()
        return (*vectors, corpus.TEXTS, corpus.OFFSETS)


def write(about: About, where: Path) -> None:
    """Write index.json beside the other files, which must be complete."""
    files = {name: checksums.of_file(where / name) for name in about.files}
    disk.write_json(where / ABOUT, {"format": FORMAT, **asdict(about), "files": files})


def read(where: Path) -> About:
    """Read index.json and check every file against it. Raises CallError with all that is wrong."""
    if not where.is_dir():
        raise CallError(f"There is no index {where}; build one with: metaembed index MODEL CORPUS {where}")
    if not (where / ABOUT).is_file():
        raise CallError(f"{where} is no index: it has no {ABOUT}. Build one with: metaembed index MODEL CORPUS OUT")
    found = disk.read_json(where / ABOUT)
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise CallError(f"{where / ABOUT} is not of the format {FORMAT!r}. {AGAIN}")
    files = found.pop("files", None)
    if wrong := _wrong_fields(found, files):
        raise faults(f"{where / ABOUT} can't be read:", wrong, AGAIN)
    about = About(**found)
    if about.code:
        check_code(about.rescore, about.metric)
    else:
        scalars.check(about.dtype, about.metric)
    damage = {name: checksums.difference(where / name, files.get(name)) for name in about.files}
    if wrong := [f"{name}: {what}" for name, what in damage.items() if what]:
        raise faults(f"The index {where} is damaged:", wrong, AGAIN)
    return about


def check_code(rescore: str, metric: str) -> None:
    """Raise CallError for a similarity that codes do not give, or a way to store vectors that does not go with it."""
    if metric not in ("cosine", "dot"):
        raise CallError(f"An index of codes can't be built for similarity {metric!r}; codes give cosine and dot")
    if rescore and rescore not in RESCORES:
        raise CallError(f"Vectors to compare again are stored as {' or '.join(RESCORES)}; found {rescore!r:.40}")
    if rescore:
        scalars.check(rescore, metric)


def _wrong_fields(found: dict, files: object) -> list[str]:
    kinds = {each.name: dict if each.name in TEXTS else each.type for each in fields(About)}
    wrong = [f"{name}: missing" for name in kinds if name not in found and name not in LATER]
    wrong += [f"{name}: no field of an index" for name in found if name not in kinds]
    wrong += [
        f"{name}: {found[name]!r:.80}; expected {kind.__name__}"
        for name, kind in kinds.items()
        if name in found and type(found[name]) is not kind
    ]
    wrong += [
        f"{name}: {found[name]}; expected 1 or more"
        for name in ("dims", "count", "max_seq_length")
        if type(found.get(name)) is int and found[name] < 1
    ]
    wrong += [
        f"{name}: {found[name]!r:.80}; expected texts by name"
        for name in TEXTS
        if isinstance(found.get(name), dict) and not all(isinstance(text, str) for text in found[name].values())
    ]
    return wrong if isinstance(files, dict) else [*wrong, "files: missing"]
