"""Loss scaling for float16: small gradients are lifted above its least number. arXiv:1710.03740, section 3.2."""

from dataclasses import dataclass

FIRST_FACTOR = 2.0**12
LEAST_FACTOR = 2.0**-10
GOOD_STEPS = 200
"""Without an overflow, before the factor is doubled."""


@dataclass(frozen=True)
class LossScale:
    """The factor on the loss, and the good steps since it last changed; factor 1 stays 1 in wider arithmetic."""

    factor: float = 1.0
    good: int = 0
    scales: bool = False

    @classmethod
    def of(cls, dtype: str) -> "LossScale":
        return cls(FIRST_FACTOR, 0, True) if dtype == "float16" else cls()

    def after(self, finite: bool) -> "LossScale":
        """Halved after gradients that overflowed, doubled after GOOD_STEPS."""
        if not self.scales:
            return self
        if not finite:
            return LossScale(self.factor / 2, 0, True)
        if self.good + 1 == GOOD_STEPS:
            return LossScale(self.factor * 2, 0, True)
        return LossScale(self.factor, self.good + 1, True)

    @property
    def hopeless(self) -> bool:
        """Whether no scale is small enough: the gradients themselves are not finite."""
        return not self.scales or self.factor < LEAST_FACTOR
