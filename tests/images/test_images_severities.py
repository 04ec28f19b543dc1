"""The project's own corruptions: five severities, each weaker than the next, and what stays as it was."""

from pathlib import Path

import numpy as np
import pytest

from cfs_explore.errors import SourceError, SpecError
from cfs_explore.images import open_source
from cfs_explore.images.proxies import PROXIES, made_by
from cfs_explore.images.severities import CORRUPTIONS, SEVERITIES, corruption
from cfs_explore.images.transforms import TRANSFORMS
from cfs_explore.spec import RunSpec


def scene(side: int = 32, channels: int = 3) -> np.ndarray:
    """A uint8 image with edges, ramps and grain, away from black and white."""
    y, x = np.mgrid[:side, :side] / side
    plain = 60 + 60 * x + 50 * ((x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.06)
    grain = np.random.default_rng(0).normal(0, 8, (side, side, channels))
    return np.clip(plain[..., None] + grain, 0, 255).astype(np.uint8)


def pixels_of(source) -> np.ndarray:
    with open_source(source) as opened:
        return np.stack([opened.read(i).pixels for i in range(len(opened))])


@pytest.mark.parametrize("change", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(32, 32, 3), (32, 32, 1), (32, 32), (9, 13, 3)])
def test_every_severity_changes_more_than_the_one_before(change, shape):
    image = scene(max(shape[:2]), shape[2] if len(shape) > 2 else 1)[: shape[0], : shape[1]].reshape(shape)
    altered = [corruption(change, severity)(image, 3, 0) for severity in SEVERITIES]
    assert all(each.shape == image.shape and each.dtype == np.uint8 for each in altered)
    apart = [np.abs(each.astype(float) - image).mean() for each in altered]
    assert apart[0] > 0 and (np.diff(apart) > 0).all() if min(shape[:2]) > 16 else apart[4] > apart[0]


@pytest.mark.parametrize("change", ["noisy", "blurred"])
@pytest.mark.parametrize("side", [8, 16, 28, 33])
def test_the_strongest_is_the_change_without_a_severity(change, side):
    image = scene(side)
    assert np.array_equal(corruption(change, 5)(image, 2, 1), TRANSFORMS[change](image, 2, 1))


def test_strengths_are_those_of_the_table():
    image = np.full((40, 40, 3), 100, np.uint8)
    for severity, share in zip(SEVERITIES, CORRUPTIONS["noisy"].strengths, strict=True):
        assert corruption("noisy", severity)(image, 0, 0).std() == pytest.approx(255 * share, rel=0.05)
    for severity, share in zip(SEVERITIES, CORRUPTIONS["brightened"].strengths, strict=True):
        assert (corruption("brightened", severity)(image, 0, 0) == round(100 + 255 * share)).all()
    for severity, share in zip(SEVERITIES, CORRUPTIONS["faded"].strengths, strict=True):
        faded = corruption("faded", severity)(scene(), 0, 0)
        assert faded.std() == pytest.approx(share * scene().std(), rel=0.05)
        assert faded.mean() == pytest.approx(scene().mean(), abs=0.5)
    for severity, share in zip(SEVERITIES, CORRUPTIONS["pixelated"].strengths, strict=True):
        rows = corruption("pixelated", severity)(scene(40), 0, 0)
        assert len(np.unique(rows.reshape(40, -1), axis=0)) == round(40 * share)


def test_noise_is_the_same_at_every_severity_but_for_its_size():
    image = np.full((64, 64, 1), 128, np.uint8)
    one, two = (corruption("noisy", severity)(image, 7, 3).astype(float).ravel() for severity in (2, 4))
    assert np.corrcoef(one, two)[0, 1] > 0.99
    assert not np.array_equal(corruption("noisy", 2)(image, 8, 3).ravel(), one)


def test_a_source_has_the_severity_and_the_same_bytes_again(write_images):
    folder = str(write_images(4, "folder", seed=3))
    source = {"altered": "faded", "severity": 2, "of": folder}
    assert np.array_equal(pixels_of(source), pixels_of(source))
    expected = [corruption("faded", 2)(image, row, 0) for row, image in enumerate(pixels_of(folder))]
    assert np.array_equal(pixels_of(source), expected)
    with open_source(source) as opened, open_source(folder) as plain:
        assert opened.location.endswith("faded, severity 2")
        assert opened.read(1).group == plain.read(1).image_id


def test_every_corruption_is_known_as_a_proxy():
    assert all(made_by({"altered": change, "severity": 1, "of": "x"}) in PROXIES for change in CORRUPTIONS)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"altered": "faded"}, "'faded' needs a severity"),
        ({"altered": "flipped", "severity": 1}, "'flipped' has no severity; those that have are noisy, blurred, faded"),
        ({"altered": "noisy", "severity": 0}, "severity = 0; allowed is a whole number from 1 to 5"),
        ({"altered": "noisy", "severity": True}, "severity = True"),
        ({"altered": "noisy", "severity": 2.0}, "severity = 2.0"),
        ({"altered": "melted", "severity": 2}, "no change 'melted'"),
    ],
)
def test_mistakes(source, words):
    with pytest.raises(SourceError, match=words):
        open_source(source | {"of": {"builtin": "letters"}})


SPEC = {"name": "S", "backbone": {"path": "net"}, "id": {"train": {"name": "a", "source": "a.zip"}}}


def test_severities_are_written_out():
    noisy = {"altered": "noisy", "of": "a.zip"}
    sets = [{"name": "far", "source": "b.zip"}, {"name": "noise", "source": noisy, "limit": 9, "severities": [1, 4]}]
    spec = RunSpec.parse(SPEC | {"ood": sets})
    assert [each.name for each in spec.ood] == ["far", "noise 1", "noise 4"]
    assert [each.source for each in spec.ood[1:]] == [noisy | {"severity": 1}, noisy | {"severity": 4}]
    assert spec.ood[2].limit == 9
    assert RunSpec.parse(dict(spec.model_dump(mode="json"))) == spec  # a run's own spec has them written out


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "a.zip", "severities": [1]},
        {"source": {"altered": "noisy", "of": "a", "severity": 1}, "severities": [1]},
        {"source": {"altered": "noisy", "of": "a"}, "severities": []},
        {"source": {"altered": "noisy", "of": "a"}, "severities": [1, 1]},
        {"source": {"altered": "noisy", "of": "a"}, "severities": 3},
        {"source": {"altered": "noisy", "of": "a"}, "severities": ["1"]},
    ],
)
def test_severities_of_something_else_are_mistakes(wrong):
    with pytest.raises(SpecError, match=r"set 'x'.*severities.*1, 2, 3, 4, 5"):
        RunSpec.parse(SPEC | {"ood": [{"name": "x"} | wrong]})


def test_the_documented_strengths_are_these():
    text = (Path(__file__).parents[2] / "docs" / "inputs.md").read_text()
    for change, found in CORRUPTIONS.items():
        row = " | ".join([f"| `{change}`", found.unit, *(f"{each:g}" for each in found.strengths)]) + " |"
        assert row in text
