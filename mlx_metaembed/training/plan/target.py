"""What a plan is for: an engine and the kind of device that it computes on."""

from dataclasses import dataclass

from mlx_metaembed.engine import footprint
from mlx_metaembed.files.sizes import format_size

PROCESS = {"mlx": 0, "torch": 450 * 10**6}
"""Bytes of a process on a processor before a model is loaded, where its whole footprint is what is measured."""

SHARE_OF_MACHINE = 0.75
"""Of a machine's memory a run gets about so much; the rest is the system's."""


@dataclass(frozen=True)
class Target:
    """`engine` is mlx or torch, `kind` cpu, metal or cuda."""

    engine: str
    kind: str

    @classmethod
    def of(cls, engine: str, device: str) -> "Target":
        """From an engine's name and what it calls its device."""
        if device == "cpu":
            return cls(engine, "cpu")
        return cls(engine, "metal" if engine == "mlx" and device.startswith("Apple") else "cuda")

    @property
    def quantized(self) -> bool:
        """Whether quantized weights stay so in memory."""
        return self.engine == "mlx" and self.kind != "cpu"

    @property
    def process(self) -> int:
        return PROCESS[self.engine] if self.kind == "cpu" else 0

    def memory_warning(self, budget: int) -> str | None:
        """What to say of a budget that this machine can't give; None where it can, or its memory can't be read."""
        machine = footprint.machine()
        if self.kind == "cuda" or machine is None or budget <= SHARE_OF_MACHINE * machine:
            return None
        return (
            f"memory = {format_size(budget)} is more than {SHARE_OF_MACHINE:.0%} of this machine's "
            f"{format_size(machine)}: near the budget it would swap; --memory {SHARE_OF_MACHINE * machine / 1e9:.1f}GB "
            "plans for what it can give"
        )
