"""Loss scaling for float16: small gradients are lifted above its least number. arXiv:1710.03740, section 3.2."""

from dataclasses import dataclass

FIRST = 2.0**12
GROWS_AFTER = 200
LEAST = 2.0**-10


@dataclass(frozen=True)
class LossScale:
    """The factor on the loss, and the good steps since it last changed; factor 1 stays 1 in wider arithmetic."""

    factor: float = 1.0
    good: int = 0
    scales: bool = False

    @classmethod
    def of(cls, dtype: str) -> "LossScale":
        return cls(FIRST, 0, True) if dtype == "float16" else cls()

    def after(self, finite: bool) -> "LossScale":
        """Halved after gradients that overflowed, doubled after 200 good steps."""
        if not self.scales:
            return self
        if not finite:
            return LossScale(self.factor / 2, 0, True)
        if self.good + 1 == GROWS_AFTER:
            return LossScale(self.factor * 2, 0, True)
        return LossScale(self.factor, self.good + 1, True)

    @property
    def hopeless(self) -> bool:
        """Whether no scale is small enough: the gradients themselves are not finite."""
        return not self.scales or self.factor < LEAST
