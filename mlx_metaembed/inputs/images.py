"""Images as the pixels that a model's tower was trained on: sized, cut to the middle, scaled. Pillow and NumPy.

The settings are the folder's; the numbers are those of transformers' CLIPImageProcessor on Pillow: what is transparent
becomes white. A photograph is turned as its camera says. C channels (red, green, blue), H rows, W columns.
"""

import importlib.util
import math
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlx_metaembed.config import checks, clip
from mlx_metaembed.errors import CallError, faults, missing_extra
from mlx_metaembed.files.disk import read_json
from mlx_metaembed.folder import ModelFolder

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of the images that CLIP was trained on: what a file means that names none."""
FILTERS = (0, 1, 2, 3, 4, 5)
"""Pillow's numbers for its filters."""

LARGEST = 1 << 26
"""Pixels; a narrow image of few of them would have billions once its shorter side is sized."""


@dataclass(frozen=True)
class Preprocessing:
    """What preprocessor_config.json says; defaults are CLIP's."""

    shortest_edge: int | None = 224
    """Pixels that the shorter side is sized to; None where `size` says both sides."""
    size: tuple[int, int] | None = None
    """Rows and columns that the image is sized to, whatever its shape."""
    crop: tuple[int, int] | None = (224, 224)
    resample: int = 3
    scale: float = 1 / 255
    mean: tuple[float, ...] = MEAN
    deviation: tuple[float, ...] = DEVIATION
    tower: int = 224
    """Rows and columns that the tower takes."""

    def pixels(self, image: Any) -> np.ndarray:
        """A Pillow image as float32 [C, H, W]. Raises ValueError for one of numbers without a known range."""
        from PIL import Image

        if image.mode.startswith("I;16"):
            # Pillow, and so transformers, would make everything above 255 of 65,535 white.
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        elif image.mode in ("I", "F"):
            raise ValueError(f"pixels of Pillow's mode {image.mode} have no known white; save it with 8 or 16 bits")
        if "A" in image.getbands() or image.info.get("transparency") is not None:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("RGB")
        if self.size or self.shortest_edge:
            rows, columns = self.size or _by_shortest(image.height, image.width, self.shortest_edge)
            if rows * columns > LARGEST:
                raise ValueError(f"{rows:,} x {columns:,} pixels when sized, more than {LARGEST:,}")
            image = image.resize((columns, rows), resample=self.resample)
        array = np.asarray(image).transpose(2, 0, 1)
        if self.crop:
            array = _middle(array, *self.crop)
        array = array.astype(np.float64) * self.scale
        mean, deviation = (np.array(each)[:, None, None] for each in (self.mean, self.deviation))
        return ((array - mean) / deviation).astype(np.float32)


def preprocessing(folder: ModelFolder) -> Preprocessing:
    """What the folder says of its images. Raises CallError that lists every setting that can't be followed."""
    folder.image_tower()
    for name, part in (("preprocessor_config.json", None), ("processor_config.json", "image_processor")):
        path = folder.trunk_path / name
        found = read_json(path) if path.is_file() else {}
        found = found.get(part) if part and isinstance(found, dict) else found
        if found and isinstance(found, dict):
            break
    else:
        raise CallError(f"{folder.trunk_path} has no preprocessor_config.json; fetch the folder again")
    wrong: list[str] = []
    steps = {step: found.get(f"do_{step}", True) for step in ("resize", "center_crop", "rescale", "normalize")}
    size = found.get("size", 224)
    edge, both = size.get("shortest_edge") if isinstance(size, dict) else size, _sides(size)
    crop = found.get("crop_size", 224)
    crop = (crop, crop) if isinstance(crop, int) else _sides(crop)
    edge = edge if isinstance(edge, int) else None
    if steps["resize"] and not (edge or both):
        wrong.append(f"size = {size!r}; expected shortest_edge, or height and width")
    if steps["center_crop"] and not crop:
        wrong.append(f"crop_size = {found['crop_size']!r}; expected height and width")
    for name, least in (("image_mean", -math.inf), ("image_std", 1e-12)):
        value = found.get(name) or ()
        if value and not (checks.fits(value, list[float]) and len(value) == 3 and min(value) >= least):
            wrong.append(f"{name} = {found[name]!r}; expected three numbers, of red, green and blue")
    if not (checks.fits(found.get("rescale_factor", 1.0), float) and found.get("rescale_factor", 1.0) > 0):
        wrong.append(f"rescale_factor = {found['rescale_factor']!r:.80}; expected a number above 0")
    if found.get("resample", 3) not in FILTERS:
        wrong.append(f"resample = {found['resample']!r}; expected one of {', '.join(map(str, FILTERS))}")
    image, patch = (clip.image(folder.config)[name] for name in ("image_size", "patch_size"))
    if not (type(image) is type(patch) is int and 1 <= patch <= image):
        wrong.append(f"the vision_config has patches of {patch!r:.80} pixels in images of {image!r:.80}")
    if wrong:
        raise faults(f"{path} can't be followed:", wrong)
    return Preprocessing(
        shortest_edge=edge if steps["resize"] else None,
        size=both if steps["resize"] else None,
        crop=crop if steps["center_crop"] else None,
        resample=found.get("resample", 3),
        scale=found.get("rescale_factor", 1 / 255) if steps["rescale"] else 1.0,
        mean=tuple(found.get("image_mean") or MEAN) if steps["normalize"] else (0.0,) * 3,
        deviation=tuple(found.get("image_std") or DEVIATION) if steps["normalize"] else (1.0,) * 3,
        tower=image,
    )


def read(images: Sequence[Any], how: Preprocessing) -> np.ndarray:
    """Files, or Pillow images, as pixels float32 [B, C, H, W]. Raises CallError that lists every file without one."""
    if importlib.util.find_spec("PIL") is None:
        raise missing_extra("Pillow", "image", "Reading images")
    from PIL import Image, ImageOps

    found, wrong = [], []
    for image in images:
        try:
            with warnings.catch_warnings():
                # Up to twice Pillow's limit an image is taken, as a large photograph is; above it Pillow refuses it.
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                with Image.open(image) if isinstance(image, (str, Path)) else nullcontext(image) as opened:
                    found.append(how.pixels(ImageOps.exif_transpose(opened)))
        # Pillow raises what its decoders raise, for a file that is cut short or too large too.
        except Exception as error:
            wrong.append(f"{image}: {getattr(error, 'strerror', None) or error}")
            continue
        if found[-1].shape[1:] != (how.tower, how.tower):
            rows, columns = found[-1].shape[1:]
            wrong.append(f"{image}: {rows} x {columns} pixels when prepared, the tower takes {how.tower} x {how.tower}")
    if wrong:
        raise faults("These images can't be taken:", wrong)
    return np.stack(found)


def _sides(size: object) -> tuple[int, int] | None:
    sides = (size.get("height"), size.get("width")) if isinstance(size, dict) else ()
    return sides if sides and all(isinstance(side, int) for side in sides) else None


def _by_shortest(rows: int, columns: int, edge: int) -> tuple[int, int]:
    """The size at which the shorter side has `edge` pixels, the longer one rounded down."""
    longer = int(edge * max(rows, columns) / min(rows, columns))
    return (edge, longer) if rows <= columns else (longer, edge)


def _middle(array: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The middle of [C, H, W]; black around an image that is smaller."""
    spare = [max(want - have, 0) for want, have in zip((rows, columns), array.shape[1:], strict=True)]
    array = np.pad(array, [(0, 0), *[((each + 1) // 2, each // 2) for each in spare]])
    top, left = (array.shape[1] - rows) // 2, (array.shape[2] - columns) // 2
    return array[:, top : top + rows, left : left + columns]
