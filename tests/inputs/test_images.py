"""Images as pixels: transformers' numbers, settings in both files, the middle of odd sizes, what is no image."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from states import GOLDEN

from mlx_metaembed import folder as folders
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk
from mlx_metaembed.inputs import images
from mlx_metaembed.inputs.images import Preprocessing

CLIP = GOLDEN / "clip"
PICTURES = [CLIP / name for name in ("wide.png", "high.png", "grey.png")]
PLAIN = {"scale": 1.0, "mean": (0.0,) * 3, "deviation": (1.0,) * 3}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CLIP, tmp_path / "clip"))


def test_pixels_are_transformers(clip: Path):
    expected = np.load(CLIP / "expected.npz")["pixels"]
    found = images.read(PICTURES, images.preprocessing(folders.read(CLIP)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    # transformers 5 saves the settings inside those of the whole processor.
    settings = disk.read_json(clip / "preprocessor_config.json")
    disk.write_json(
        clip / "preprocessor_config.json",
        {"image_mean": 0.5, "image_std": [0, 0, 0], "rescale_factor": float("nan")},
    )
    with pytest.raises(CallError, match=r"(?s)image_mean = 0\.5.*image_std = \[0, 0, 0\].*rescale_factor = nan"):
        images.preprocessing(folders.read(clip))
    (clip / "preprocessor_config.json").unlink()
    disk.write_json(clip / "processor_config.json", {"image_processor": settings})
    np.testing.assert_array_equal(images.read(PICTURES, images.preprocessing(folders.read(clip))), found)


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({"size": {"shortest_edge": 7}, "crop_size": {"height": 12, "width": 12}}, (12, 12)),
        ({"size": 13, "crop_size": 12}, (12, 12)),
        ({"size": {"height": 12, "width": 12}, "do_center_crop": False, "resample": 2}, (12, 12)),
        ({"do_resize": False, "crop_size": 12, "do_normalize": False}, (12, 12)),
        ({"size": {"height": 9, "width": 16}, "crop_size": {"height": 12, "width": 12}, "do_rescale": False}, (12, 12)),
    ],
)
def test_other_settings_are_followed_as_transformers_does(
    torch_engine: str, clip: Path, settings: dict, shape: tuple[int, int]
):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    disk.write_json(clip / "preprocessor_config.json", settings)
    theirs = CLIPImageProcessorPil(**settings)([Image.open(each) for each in PICTURES], return_tensors="np")
    found = images.read(PICTURES, images.preprocessing(folders.read(clip)))
    assert found.shape == (3, 3, *shape)
    np.testing.assert_allclose(found, theirs["pixel_values"], rtol=0, atol=1e-4)


def test_the_middle_is_cut_and_black_stands_around_a_small_image():
    grey = np.arange(1, 16, dtype=np.uint8).reshape(3, 5)
    how = Preprocessing(shortest_edge=None, crop=(2, 7), **PLAIN)
    assert how.pixels(Image.fromarray(grey))[0].tolist() == [[0, 1, 2, 3, 4, 5, 0], [0, 6, 7, 8, 9, 10, 0]]


def test_transparency_becomes_white_sixteen_bits_eight_and_a_camera_is_turned(tmp_path: Path):
    how = Preprocessing(shortest_edge=None, crop=None, tower=2, **PLAIN)
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert (how.pixels(clear) == 255).all()
    grey = np.array([[0, 256], [32_768, 65_535]], np.uint16)
    assert how.pixels(Image.fromarray(grey))[1].tolist() == [[0, 1], [128, 255]]
    with pytest.raises(ValueError, match="mode F have no known white"):
        how.pixels(Image.new("F", (2, 2)))
    sideways = Image.fromarray(np.array([[10, 10], [200, 200]], np.uint8))
    tags = Image.Exif()
    tags[0x0112] = 6
    sideways.save(tmp_path / "photo.png", exif=tags)
    assert images.read([tmp_path / "photo.png"], how)[0, 0].tolist() == [[200, 10], [200, 10]]


def test_every_file_that_is_no_image_is_named(tmp_path: Path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.png").write_bytes(PICTURES[0].read_bytes()[:90])
    how = images.preprocessing(folders.read(CLIP))
    wrong = [tmp_path / "text.png", PICTURES[0], tmp_path / "absent.png", tmp_path / "cut.png"]
    with pytest.raises(
        CallError, match=r"(?s)text\.png: cannot identify.*absent\.png: No such file.*cut\.png: "
    ) as error:
        images.read(wrong, how)
    assert "wide.png" not in str(error.value)
    Image.new("L", (1, 20_000)).save(tmp_path / "thread.png")
    with pytest.raises(CallError, match=r"thread\.png: 6,000,000 x 300 pixels when sized, more than 67,108,864"):
        images.read([tmp_path / "thread.png"], Preprocessing(shortest_edge=300))
    with pytest.raises(CallError, match=r"wide\.png: 12 x 12 pixels when prepared, the tower takes 16 x 16"):
        images.read(PICTURES[:1], Preprocessing(shortest_edge=12, crop=(12, 12), tower=16))


def test_a_large_image_is_taken_without_a_warning_and_a_larger_one_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recwarn: pytest.WarningsRecorder
):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for side in (12, 20):
        Image.new("L", (side, side)).save(tmp_path / f"{side}.png")
    how = Preprocessing(shortest_edge=12, crop=None, tower=12)
    assert images.read([tmp_path / "12.png"], how).shape == (1, 3, 12, 12)
    with pytest.raises(CallError, match=r"20\.png: Image size \(400 pixels\) exceeds limit of 200 pixels"):
        images.read([tmp_path / "20.png"], how)
    assert not list(recwarn)


def test_settings_that_cannot_be_followed_are_listed(clip: Path):
    disk.write_json(
        clip / "preprocessor_config.json",
        {"size": ["12"], "crop_size": {"height": 3}, "resample": 9, "image_mean": [1]},
    )
    with pytest.raises(CallError, match=r"(?s)size = .*crop_size = .*image_mean = \[1\].*resample = 9"):
        images.preprocessing(folders.read(clip))
    disk.write_json(
        clip / "preprocessor_config.json",
        {"image_mean": 0.5, "image_std": [0, 0, 0], "rescale_factor": float("nan")},
    )
    with pytest.raises(CallError, match=r"(?s)image_mean = 0\.5.*image_std = \[0, 0, 0\].*rescale_factor = nan"):
        images.preprocessing(folders.read(clip))
    (clip / "preprocessor_config.json").unlink()
    with pytest.raises(CallError, match=r"has no preprocessor_config\.json"):
        images.preprocessing(folders.read(clip))
