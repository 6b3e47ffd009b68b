"""What a run has for settings: how the ID enters, how long and how fast it learns, what is held out."""

from dataclasses import dataclass

from mlx_metaembed.errors import faults, nearest

TEXT, PREFIX, FILM = "text", "prefix", "film"
CONDITIONS = {
    TEXT: "the ID is written before the text, and LoRA learns to read it",
    PREFIX: "each digit is some learned vectors before the text",
    FILM: "each digit changes the gains of the norms",
}
RANKS = {TEXT: 8, PREFIX: 0, FILM: 0}
RATES = {TEXT: 5e-4, PREFIX: 1e-2, FILM: 2e-3}
BASE_RATE = 1e-3
"""Where the base's own weights learn."""
MOST_RANK = 1_024


@dataclass(frozen=True)
class Settings:
    """`rank` of LoRA (None: 8 for text, else none), `vectors` a digit for prefix, `embedding` features for film.

    With `train_base` the base's own weights learn too, and rank None is none. `steps` stand for the epochs where they
    are given; `learning_rate` None is the condition's own.
    """

    condition: str = TEXT
    rank: int | None = None
    vectors: int = 4
    embedding: int = 32
    epochs: float = 3.0
    steps: int | None = None
    batch_size: int = 16
    learning_rate: float | None = None
    warmup_ratio: float = 0.1
    id_dropout: float = 0.1
    train_base: bool = False
    max_tokens: int = 128
    held_out: float = 0.1
    seed: int = 0

    def require(self) -> None:
        """Raise CallError with all that no run can have."""
        wrong = []
        if self.condition not in CONDITIONS:
            known = ", ".join(CONDITIONS)
            wrong.append(f"condition {self.condition!r} is not known{nearest(self.condition, CONDITIONS)}: {known}")
        if self.condition == TEXT and self.rank == 0 and not self.train_base:
            wrong.append("condition text learns by LoRA alone: its rank is 1 or more")
        ranges = {
            "rank": (0, MOST_RANK), "vectors": (1, 256), "embedding": (1, 4_096), "batch_size": (1, 4_096),
            "max_tokens": (2, 1_000_000), "held_out": (0, 0.5), "id_dropout": (0, 1), "warmup_ratio": (0, 1),
        }  # fmt: skip
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                wrong.append(f"{name} = {value}: expected {least} to {most:,}")
        for name in ("epochs", "steps", "learning_rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                wrong.append(f"{name} = {value}: expected more than 0")
        if wrong:
            raise faults("No run can be so:", wrong)

    @property
    def own_rank(self) -> int:
        """The rank of LoRA; 0 for none."""
        return (0 if self.train_base else RANKS[self.condition]) if self.rank is None else self.rank

    @property
    def alpha(self) -> float:
        """What PEFT calls lora_alpha: the change is multiplied by alpha / rank."""
        return 2.0 * self.own_rank

    @property
    def rate(self) -> float:
        """The peak of the learning rate."""
        own = BASE_RATE if self.train_base else RATES[self.condition]
        return own if self.learning_rate is None else self.learning_rate
