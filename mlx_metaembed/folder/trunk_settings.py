"""sentence_bert_config.json, of which older releases had seven names: where a text is cut, and what the trunk gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlx_metaembed.config import checks, clip
from mlx_metaembed.config.spellings import ENDLESS, positions, unified
from mlx_metaembed.files.disk import optional_json
from mlx_metaembed.folder import keys
from mlx_metaembed.folder.key_table import TABLE

FILES = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
"""In the order in which sentence-transformers looks for them; the first that says anything counts."""
TASKS = ("feature-extraction", "fill-mask")
"""The kinds of models that a trunk is loaded as: for vectors, and for the weights of words (SPLADE)."""
TEXT = {
    "feature-extraction": ("token_embeddings", "forward", ("last_hidden_state", ["last_hidden_state"])),
    "fill-mask": ("token_embeddings", "forward", ("logits", ["logits"])),
    "tower": ("sentence_embedding", "get_text_features", ("pooler_output", ["pooler_output"], None)),
}
"""What a trunk gives of a text: the feature's name, the method, and which of its outputs."""


@dataclass(frozen=True)
class TrunkSettings:
    """What one of the files says: `file` is its name, empty where there is none; `settings` its keys."""

    file: str
    settings: Mapping

    def task(self, *, mlm: bool) -> object:
        """The kind of model that the trunk is loaded as; `mlm` where the module's class is that of a word predictor."""
        return self.settings.get("transformer_task", "fill-mask" if mlm else "feature-extraction")

    def length_faults(self) -> list[str]:
        """The lengths that are none, one line each."""
        return [
            f"{self.file}: {name} = {value!r:.80}, expected a number of tokens"
            for name, value in self._lengths().items()
            if value is not None and (not checks.fits(value, float) or value < 1)
        ]

    def faults(self, config: dict, *, mlm: bool, late: bool) -> tuple[list[str], list[str]]:
        """What can't be followed, and what was left out; `late` where a vector for every token comes out."""
        own = {name: value for name, value in self.settings.items() if not (late and name == "query_expansion")}
        wrong, notes = keys.inspect(keys.TRUNK, own, TABLE, self.file)
        return wrong or self._output_faults(config, self.task(mlm=mlm)), notes

    def max_seq_length(self, config: dict, tokenizer: Mapping) -> int:
        """The length at which a text is cut; a call's goes before a loader's, that before the module's own."""
        longest, said = positions(config), self._lengths()
        ordered = (
            *(said[f"processing_kwargs.{section}.max_length"] for section in ("common", "text")),
            *(said[f"{section}.model_max_length"] for section in ("processor_kwargs", "tokenizer_args")),
            said["max_seq_length"],
            # An older name, which counts where the newer one is absent.
            tokenizer.get("model_max_length", tokenizer.get("max_len")),
            longest,
        )
        found = min(next(length for length in ordered if length), longest)
        # Undeclared, an endless trunk is cut where it was trained.
        return int(found if found < ENDLESS else unified(config).get("max_position_embeddings") or 512)

    def side_lengths(self, config: dict) -> dict[str, int | None]:
        """`query_length` and `document_length` where they differ from the length of any text."""
        said = self._lengths()
        # Both of a call's ways are stronger.
        if any(said[f"processing_kwargs.{section}.max_length"] for section in ("common", "text")):
            return {"query_length": None, "document_length": None}
        longest = positions(config)
        return {
            name: int(min(said[name], longest)) if said[name] else None for name in ("query_length", "document_length")
        }

    def _lengths(self) -> dict[str, object]:
        """Every length that the file may have, by dotted name."""
        found = {name: self.settings.get(name) for name in ("max_seq_length", "query_length", "document_length")}
        for section in ("processor_kwargs", "tokenizer_args"):
            found[f"{section}.model_max_length"] = _inside(self.settings, section).get("model_max_length")
        calls = _inside(self.settings, "processing_kwargs")
        for section in ("text", "common"):
            found[f"processing_kwargs.{section}.max_length"] = _inside(calls, section).get("max_length")
        return found

    def _output_faults(self, config: dict, task: object) -> list[str]:
        """What the trunk is to give of a text, and the kit does not."""
        kind = "tower" if config["model_type"] in clip.TEXT and task == "feature-extraction" else task
        if kind not in ("tower", *TASKS):
            return [f"{self.file}: transformer_task = {task!r:.80}; expected {' or '.join(TASKS)}"]
        if "modality_config" not in self.settings:
            return []
        modalities = self.settings["modality_config"]
        text = modalities.get("text") if isinstance(modalities, Mapping) else None
        if not isinstance(text, Mapping):
            return [f"{self.file}: modality_config = {modalities!r:.80}, expected an object with 'text'"]
        wrong, (feature, method, outputs) = [], TEXT[kind]
        if "message" in modalities:
            wrong.append(
                f"{self.file}: modality_config has 'message': sentence-transformers puts every text into the "
                "tokenizer's chat template, which is not supported; without that entry the plain text is meant"
            )
        if text.get("method") != method or text.get("method_output_name") not in outputs:
            wrong.append(
                f"{self.file}: modality_config: text is {text.get('method_output_name')!r:.80} of "
                f"{text.get('method')!r:.80}; expected {outputs[0]!r} of {method!r}"
            )
        if (found := self.settings.get("module_output_name")) != feature:
            wrong.append(f"{self.file}: module_output_name = {found!r:.80}; expected {feature!r}")
        return wrong


def read(folder: Path) -> TrunkSettings:
    """What the first of the files in a trunk's folder that says anything says."""
    for name in FILES:
        if found := optional_json(folder / name):
            return TrunkSettings(name, found)
    return TrunkSettings("", {})


def _inside(settings: Mapping, name: str) -> Mapping:
    found = settings.get(name)
    return found if isinstance(found, Mapping) else {}
