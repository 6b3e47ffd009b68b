"""What chips are said to compute and to move: peak rates, of which training reaches a part.

Apple gives bandwidths and core counts (apple.com/newsroom and support.apple.com, at each chip's announcement), and
rates for the M1 and M2 alone; from the M3 on a rate is reckoned as GPU cores x 128 lanes x 2 x clock (the lanes:
github.com/philipturner/metal-benchmarks; clocks as benchmarks report them). Half precision is as fast as float32, but
on the M5, whose GPU cores are said to multiply half-precision matrices four times as fast. NVIDIA's are dense rates
with float32 sums, from the Ada and Blackwell white papers and the H100 and H200 data sheets; float32 without TF32, as
torch computes by default.
"""

from dataclasses import dataclass

from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.training.plan.target import Target


@dataclass(frozen=True)
class Chip:
    """Peak rates: operations a second by arithmetic, in units of 1e12, and bytes a second, in units of 1e9."""

    name: str
    float32: float
    half: float
    """float16 and bfloat16; the M1 and M2 emulate bfloat16 in float32."""
    bandwidth: float
    estimated: bool = False
    """Whether the rates are reckoned and not the vendor's."""

    @property
    def target(self) -> Target:
        return Target("mlx", "metal") if self.name.startswith("M") else Target("torch", "cuda")

    def rate(self, dtype: str) -> float:
        """Operations a second."""
        slow = dtype == "float32" or (dtype == "bfloat16" and self.name.startswith(("M1", "M2")))
        return 1e12 * (self.float32 if slow else self.half)

    @property
    def dtype(self) -> str:
        """What `dtype = "auto"` takes there."""
        return "float16" if self.name.startswith(("M1", "M2")) else "bfloat16"


CHIPS = (
    Chip("M1", 2.6, 2.6, 68),
    Chip("M1 Pro", 5.2, 5.2, 200),
    Chip("M1 Max", 10.4, 10.4, 400),
    Chip("M1 Ultra", 20.8, 20.8, 800),
    Chip("M2", 3.6, 3.6, 100),
    Chip("M2 Pro", 6.8, 6.8, 200),
    Chip("M2 Max", 13.6, 13.6, 400),
    Chip("M2 Ultra", 27.2, 27.2, 800),
    Chip("M3", 3.6, 3.6, 100, estimated=True),
    Chip("M3 Pro", 6.4, 6.4, 150, estimated=True),
    Chip("M3 Max", 14.3, 14.3, 400, estimated=True),
    Chip("M3 Ultra", 28.6, 28.6, 819, estimated=True),
    Chip("M4", 3.8, 3.8, 120, estimated=True),
    Chip("M4 Pro", 8.1, 8.1, 273, estimated=True),
    Chip("M4 Max", 16.2, 16.2, 546, estimated=True),
    Chip("M5", 4.0, 15.2, 153, estimated=True),
    Chip("M5 Pro", 8.1, 32.4, 307, estimated=True),
    Chip("M5 Max", 16.2, 64.8, 614, estimated=True),
    Chip("RTX 4090", 82.6, 165.2, 1008),
    Chip("RTX 5090", 104.8, 209.5, 1792),
    Chip("H100", 67.0, 989.4, 3350),
    Chip("H200", 67.0, 989.4, 4800),
)


def named(name: str) -> Chip:
    """The chip of a name, whatever the case. Raises CallError for one that is not in the table."""
    for chip in CHIPS:
        if chip.name.lower() == name.lower().removeprefix("apple ").strip():
            return chip
    known = [chip.name for chip in CHIPS]
    raise CallError(f"--chip {name!r} is not known{nearest(name, known)} Known: {', '.join(known)}")


def of_device(device: str) -> Chip | None:
    """The chip that an engine's device name speaks of ("Apple M2 Pro", "NVIDIA H100 80GB HBM3"); None for others."""
    found = [chip for chip in CHIPS if f" {chip.name} " in f" {device} "]
    return max(found, key=lambda chip: len(chip.name), default=None)
