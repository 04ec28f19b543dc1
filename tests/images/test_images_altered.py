"""Sets that are another set changed, and copies of named sets on this computer."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from cfs_explore.errors import SourceError
from cfs_explore.images import open_source, paths_named
from cfs_explore.images.transforms import TRANSFORMS


@pytest.fixture
def folder(tmp_path):
    """Five pictures in colour, 16 x 16, one of them broken."""
    home = tmp_path / "pictures"
    home.mkdir()
    for i in range(5):
        pixels = np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(home / f"{i}.png")
    (home / "notes.txt").write_text("none")
    return home


def pixels_of(source) -> np.ndarray:
    with open_source(source) as opened:
        return np.stack([opened.read(i).pixels for i in range(len(opened))])


EXPECTED = {
    "flipped": lambda x: x[:, ::-1],
    "rotated": lambda x: np.stack([np.rot90(image) for image in x]),
    "inverted": lambda x: 255 - x,
    "blurred": lambda x: np.rint(gaussian_filter(x.astype(float), (0, 1.2, 1.2, 0), mode="nearest")).astype(np.uint8),
}


@pytest.mark.parametrize("change", EXPECTED)
def test_a_change_is_that_of_each_image(change, folder):
    altered = pixels_of({"altered": change, "of": str(folder)})
    assert np.array_equal(altered, EXPECTED[change](pixels_of(str(folder))))


def test_noise_is_drawn_by_seed_and_row(folder):
    source = {"altered": "noisy", "of": str(folder)}
    plain, first, again = pixels_of(str(folder)), pixels_of(source), pixels_of(source)
    assert np.array_equal(first, again) and not np.array_equal(first, pixels_of(source | {"seed": 1}))
    middle = (plain > 100) & (plain < 155)
    assert 0.12 * 255 < (first.astype(float) - plain)[middle].std() < 0.18 * 255


def test_names_labels_and_facts_stay(folder):
    with open_source({"altered": "rotated", "of": str(folder)}) as altered, open_source(str(folder)) as plain:
        assert (altered.names, altered.skipped) == (plain.names, plain.skipped)
        for i in range(len(plain)):
            one, other = altered.read(i), plain.read(i)
            assert (one.name, one.label, one.format, one.mode) == (other.name, other.label, other.format, other.mode)
            assert one.image_id != other.image_id


def test_every_change_takes_grey_and_colour():
    for shape in ((9, 9, 1), (9, 9, 3), (9, 9)):
        image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        for change in TRANSFORMS.values():
            assert change(image, 0, 0).shape == shape and change(image, 0, 0).dtype == np.uint8


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"altered": "blurred"}, "give `of`"),
        ({"altered": "melted", "of": {"builtin": "letters"}}, "no change 'melted'; allowed are flipped, rotated"),
        ({"altered": "noisy", "of": {"altered": "noisy", "of": "x"}}, "not altered itself"),
        ({"altered": "noisy", "of": 3}, "of = 3; allowed"),
        ({"altered": "noisy", "of": {"builtin": "letters"}, "seed": -1}, "seed = -1"),
        ({"altered": "noisy", "of": "/no/such"}, "does not exist"),
    ],
)
def test_mistakes(source, words):
    with pytest.raises(SourceError, match=words):
        open_source(source)


def test_paths_inside_are_given_to_the_administrators_check():
    assert paths_named({"altered": "noisy", "of": {"path": "/etc", "root": "/"}}) == ["/etc", "/"]
    assert paths_named({"altered": "noisy", "of": "/etc/passwd"}) == ["/etc/passwd"]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ({"torchvision": "CIFAR10", "split": "test"}, "CIFAR10-test"),
        ({"hub": "owner/some-set", "split": "train"}, "owner--some-set-train"),
        ({"hub": "owner/some-set"}, "owner--some-set"),
        ({"torchvision": "CIFAR10", "split": "test", "download": False}, "CIFAR10-test"),
    ],
)
def test_a_copy_is_used_instead_of_fetching(source, name, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / f"{name}.npy", pixels_of(str(folder)))
    assert np.array_equal(pixels_of(source), pixels_of(str(folder)))
    (tmp_path / "data" / f"{name}.npy").unlink()
    folder.rename(tmp_path / "data" / name)
    assert len(pixels_of(source)) == 5


def test_a_copys_name_leaves_the_folder_nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "x.npy", np.zeros((2, 4, 4), np.uint8))
    for source in ({"hub": "../x"}, {"hub": "owner/name", "split": "/../x"}, {"torchvision": "../x"}):
        with pytest.raises(SourceError):
            open_source(source | {"download": False})


def test_without_download_nobody_is_asked(monkeypatch, tmp_path):
    from huggingface_hub import constants

    asked, before = [], constants.HF_HUB_OFFLINE
    monkeypatch.setattr("socket.getaddrinfo", lambda host, *rest, **options: asked.append(host))
    monkeypatch.setenv("CFS_EXPLORE_DATA", str(tmp_path))
    for source in ({"hub": "owner/name", "split": "test"}, {"hub": "owner/name"}, {"torchvision": "SVHN"}):
        with pytest.raises(SourceError):
            open_source(source | {"download": False})
    assert asked == [] and constants.HF_HUB_OFFLINE is before


def test_a_copy_is_in_the_group_of_its_original(folder):
    with open_source({"altered": "rotated", "of": str(folder)}) as altered, open_source(str(folder)) as plain:
        assert [altered.read(i).group for i in range(5)] == [plain.read(i).image_id for i in range(5)]
        assert {plain.read(i).group for i in range(5)} == {""}
    digits = {"classes": [3], "split": "test"}
    with (
        open_source({"builtin": "digits-flipped"} | digits) as altered,
        open_source({"builtin": "digits"} | digits) as own,
    ):
        assert [altered.read(i).group for i in range(9)] == [own.read(i).image_id for i in range(9)]
