"""The built-in sets: deterministic, of the promised size and look, with disjoint splits."""

import numpy as np
import pytest

from cfs_explore.errors import SourceError
from cfs_explore.images import BUILTIN_SETS, open_source
from cfs_explore.images.letters import LETTERS

TRANSFORMED = [name for name in BUILTIN_SETS if name.startswith("digits-")]


def stack(name: str, **parameters) -> np.ndarray:
    source = open_source({"builtin": name, **parameters})
    return np.stack([source.read(i).pixels[:, :, 0] for i in range(len(source))])


def small(name: str) -> dict:
    return {"n": 40} if "n" in BUILTIN_SETS[name].defaults else {"classes": [3, 8]}


@pytest.mark.parametrize("name", BUILTIN_SETS)
def test_deterministic_grey_and_described(name):
    source = open_source({"builtin": name, **small(name)})
    record = source.read(0)
    assert record.pixels.shape == (16, 16, 1)
    assert (record.format, record.mode, source.kind) == ("drawn", "L", "builtin")
    assert source.names == sorted(set(source.names))
    assert all(entry.startswith(f"{name}/") for entry in source.names)
    assert record.label == source.names[0].split("/")[1]
    np.testing.assert_array_equal(stack(name, **small(name)), stack(name, **small(name)))
    assert stack(name, side=24, **small(name)).shape[1:] == (24, 24)
    assert "\n" not in BUILTIN_SETS[name].description
    assert BUILTIN_SETS[name].origin


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    data = load_digits()
    source = open_source({"builtin": "digits", "side": 8})
    assert len(source) == 1797
    for index in (0, 500, 1796):
        record = source.read(index)
        _, digit, row = record.name.split("/")
        np.testing.assert_array_equal(record.pixels[:, :, 0], np.rint(data.images[int(row)] / 16 * 255))
        assert str(data.target[int(row)]) == digit == record.label


def test_split_is_disjoint_stratified_and_seeded():
    def names(**parameters):
        return set(open_source({"builtin": "digits", **parameters}).names)

    train, test = names(split="train"), names(split="test")
    assert not train & test
    assert train | test == names()
    for digit in range(10):
        n_train, n_test = (sum(f"/{digit}/" in name for name in part) for part in (train, test))
        assert abs(n_test / (n_train + n_test) - 1 / 3) < 0.01
    assert names(split="test", seed=1) != test
    assert names(split="test", classes=[7]) == {name for name in test if "/7/" in name}
    assert len(names(split="test", test_fraction=0.5)) == pytest.approx(1797 / 2, abs=10)


@pytest.mark.parametrize("name", TRANSFORMED)
def test_transforms_act_on_the_same_digits(name):
    parameters = {"split": "test", "classes": [2, 4], "seed": 5}
    original, changed = stack("digits", **parameters), stack(name, **parameters)
    names = open_source({"builtin": name, **parameters}).names
    expected = [n.replace("digits/", f"{name}/") for n in open_source({"builtin": "digits", **parameters}).names]
    assert names == expected
    exact = {
        "digits-flipped": original[:, ::-1],
        "digits-rotated": np.rot90(original, axes=(1, 2)),
        "digits-inverted": 255 - original,
    }
    if name in exact:
        np.testing.assert_array_equal(changed, exact[name])
    elif name == "digits-blurred":
        assert np.abs(np.diff(changed.astype(int))).mean() < 0.8 * np.abs(np.diff(original.astype(int))).mean()
    else:
        inner = (original > 100) & (original < 155)  # where nothing saturates
        assert (changed.astype(int) - original)[inner].std() == pytest.approx(0.15 * 255, rel=0.05)


def test_noise_belongs_to_the_image_and_the_seed():
    alone, among = (open_source({"builtin": "digits-noisy", "classes": c}) for c in ([8], [3, 8]))
    index = among.names.index(alone.names[0])
    assert alone.read(0).image_id == among.read(index).image_id
    other = open_source({"builtin": "digits-noisy", "classes": [8], "seed": 1})
    assert other.read(0).image_id != alone.read(0).image_id


def test_letters_resemble_the_digits_in_brightness_and_sharpness():
    digits, letters = stack("digits"), stack("letters")
    assert len(letters) == 400
    source = open_source({"builtin": "letters"})
    assert {name.split("/")[1] for name in source.names} == set(LETTERS)
    assert not set("OoQDIiljZzSsBbGgq") & set(LETTERS)
    for statistic in (
        np.mean,
        np.std,
        lambda x: np.abs(np.diff(x.astype(int))).mean(),
        lambda x: (x > 127).mean(),
    ):
        assert statistic(letters) == pytest.approx(statistic(digits), rel=0.12)
    assert len({source.read(i).image_id for i in range(400)}) == 400


def test_more_letters_or_patches_begin_with_the_same_ones():
    for name in ("letters", "photo-patches"):
        few, many = (open_source({"builtin": name, "n": n}) for n in (30, 60))
        assert set(few.names) < set(many.names)
        assert few.read(0).image_id == many.read(many.names.index(few.names[0])).image_id
        assert open_source({"builtin": name, "n": 30, "seed": 1}).read(0).image_id != few.read(0).image_id


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"builtin": "cats"}, "one of digits, letters"),
        ({"builtin": ["digits"]}, "allowed is a text"),
        ({"name": "digits"}, "says no kind of image set: give one of builtin, path"),
        ({"builtin": "letters", "classes": [1]}, "no parameter 'classes'; allowed are side, n, seed"),
        ({"builtin": "digits", "classes": [10]}, "different digits"),
        ({"builtin": "digits", "classes": []}, "different digits"),
        ({"builtin": "digits", "split": "val"}, "all, train or test"),
        ({"builtin": "digits", "test_fraction": 1.5}, "between 0 and 1"),
        ({"builtin": "letters", "n": 0}, "from 1 to"),
        ({"builtin": "letters", "seed": -1}, "from 0 on"),
        ({"builtin": "letters", "side": True}, "from 4 to 256"),
    ],
)
def test_impossible_specs(spec, message):
    with pytest.raises(SourceError, match=message):
        open_source(spec)
