"""What a plan is for: an engine and the kind of device that it computes on."""

from dataclasses import dataclass

PROCESS = {"mlx": 0, "torch": 550 * 10**6}
"""Bytes of a process on a processor before a model is loaded, where its whole footprint is what is measured."""


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
