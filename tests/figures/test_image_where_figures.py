"""Where one image's score comes from: the values of ``cfs.score_map``, the channels behind, and what is missing."""

import json
import shutil

import numpy as np
import pytest
from figure_steps import assert_follows_theme, assert_whole, make

import cfs_explore as cfs
from cfs_explore.corruption import to_signed
from cfs_explore.errors import BackboneError, RunError
from cfs_explore.explorations.bundles import MARK
from cfs_explore.figures import backbone, catalogue
from cfs_explore.figures.choices import choose
from cfs_explore.figures.image_where import colours, nothing_to_localise, position_of, position_text
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.pipeline import explore
from cfs_explore.probe.inputs import stored_image
from cfs_explore.probe.where import Where
from cfs_explore.store import open_run
from cfs_explore.store.cell_names import find_cell


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(backbone, "_opened", {})


@pytest.fixture(scope="module")
def small(tiny_spec, tmp_path_factory):
    """A run on a tiny network, read only."""
    few = {"taps": ["mid_block.resnets.0", "up_blocks.1.resnets.1"], "keep": "none", "draws": 2}
    spec = tiny_spec(24, 5, name="small", diagnostics=[], **few)
    return explore(spec, tmp_path_factory.mktemp("where") / "small", device="cpu")


@pytest.fixture
def copied(small, tmp_path):
    shutil.copytree(small.path, tmp_path / "small")
    return open_run(tmp_path / "small")


def mean_map(run, network, pixels, cells, part="score"):
    return cfs.score_map(network, to_signed(pixels), run, cells, part=part).mean(axis=0, dtype=np.float64)


@pytest.fixture(scope="module")
def digits_network(digits):
    from cfs_explore.probe.network import Probe

    return Probe.open(digits).backbone


def test_the_map_is_the_mean_of_score_map_over_the_draws(digits, letters, digits_network):
    figure = make("image-where", digits, letters)
    assert_whole(figure, "digits-letters-")
    rows = digits.images("ood", "letters", columns=("image_id", "name", "label", "thumbnail"))
    pixels = stored_image(digits, digits.entry("ood", "letters"), rows.iloc[0]).pixels
    level, tap = digits.cell(letters.cell)
    cell = (digits.taps[tap].name, digits.levels[level].lam)
    for part, column in (("score", "score"), ("deviation", "deviation")):
        expected = mean_map(digits, digits_network, pixels, [cell], part)
        np.testing.assert_allclose(figure.rows[column], expected.ravel(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.array(figure.chart.data[0].z).ravel(), figure.rows["score"])
    stored = digits.scores("ood", "letters")[0, :, level, tap].mean()
    assert figure.rows["score"].mean() == pytest.approx(stored, rel=1e-4)
    assert f"their mean, {stored:.3f}, is the slot score" in figure.caption
    assert "Mean of 5 noise draws; statistics of n = 843 ID-train images" in figure.caption
    assert "row " in figure.alt and figure.stem.endswith("-where-score")


def test_a_detector_is_the_mean_of_its_cells_at_the_pictures_size(digits, letters):
    choices = choose(digits, ood="letters", options={"where_by": "CFS(1x2)"})
    figure = make("image-where", digits, choices)
    height, width = digits.manifest.backbone.image_shape[1:]
    assert len(figure.rows) == height * width and "CFS(1x2)" in figure.caption and "2 cells' maps" in figure.caption
    detectors = digits.table("detectors").drop_duplicates("name").set_index("name")
    cells = [digits.cell(int(k)) for k in detectors["cell_indices"]["CFS(1x2)"]]
    score = np.mean([digits.scores("ood", "letters")[0, :, level, tap].mean() for level, tap in cells])
    assert f"the score is {score:.3f}" in figure.caption
    with pytest.raises(NotMeasuredError, match="has no channels of its own"):
        make("image-where-channels", digits, choices)


def test_part_strength_and_theme_are_read(digits, letters):
    faint = make("image-where", digits, choose(digits, ood="letters", options={"where_strength": "0.25"}))
    assert "0.250)" in faint.chart.layout.coloraxis.colorscale[-1][1]
    deviation = make("image-where", digits, choose(digits, ood="letters", options={"where_part": "deviation"}))
    np.testing.assert_allclose(np.array(deviation.chart.data[0].z).ravel(), deviation.rows["deviation"])
    assert deviation.chart.layout.coloraxis.cmin == 1 and "farther from ID-train" in deviation.caption
    assert_follows_theme("image-where", digits, letters)
    assert_follows_theme("image-where-channels", digits, letters)
    with pytest.raises(RunError, match="from 0 to 1"):
        make("image-where", digits, choose(digits, options={"where_strength": "2"}))


def test_channels_add_up_to_the_position(digits, letters):
    whole = make("image-where", digits, letters).rows
    for text in ("", "2.7"):
        figure = make("image-where-channels", digits, choose(digits, ood="letters", options={"where_at": text}))
        row = whole.loc[whole["score"].idxmax()] if not text else whole[(whole["row"] == 2) & (whole["column"] == 7)]
        for part in ("score", "deviation"):
            assert figure.rows[part].sum() == pytest.approx(float(np.squeeze(row[part])), rel=1e-3)
        np.testing.assert_allclose(figure.rows["score"], figure.rows["mean"] + figure.rows["std"])
        assert figure.rows["score"].abs().is_monotonic_decreasing
        assert list(figure.chart.data[0].x) == figure.rows["mean"].head(8).tolist()
    assert "row 2, column 7" in figure.caption


@pytest.mark.parametrize("text", ["0.1", "1.0", "4.1", "x", "3", "1.1.1", "-1.2", "²․1"])
def test_a_position_that_the_map_does_not_have(text):
    with pytest.raises(RunError, match=r"from 1\.1 to 3\.5 in this map"):
        position_of(text, Where(np.zeros((2, 3, 5)), 0.0), "score")


def test_positions_are_read_as_they_are_written():
    where = Where(np.zeros((2, 3, 5)), 0.0)
    assert [position_of(position_text(k, where), where, "score") for k in range(15)] == list(range(15))


def test_a_map_of_one_position_has_nothing_to_localise():
    size = Where(np.full((2, 1, 1), 3.0), 3.0)
    assert "nothing to localise. Its slot score is 3.00" in nothing_to_localise("conv_in @ λ 5.0", size)
    assert nothing_to_localise("conv_in @ λ 5.0", Where(np.zeros((2, 1, 2)), 0.0)) == ""


def why_missing(run, **given):
    figures, missing = catalogue.make_figures(run, ["image-where"], choose(run, **given))
    assert not figures
    return missing["image-where"]


def test_a_run_of_its_own_backbone(small):
    figures, missing = catalogue.make_figures(small, ["image-where"], choose(small, cell="mid.res0@5"))
    assert not missing and len(figures["image-where"].rows) == 16


def test_a_backbone_that_is_gone(copied, tmp_path):
    spec = copied.path / "spec.yaml"
    spec.write_text(spec.read_text().replace(copied.manifest.spec["backbone"]["path"], str(tmp_path / "gone")))
    assert "gone" in why_missing(copied)


def test_an_imported_run_reads_no_place_that_it_names(copied):
    (copied.path / MARK).write_text(json.dumps({"imported": "2026", "places": False}))
    assert "was imported: its backbone is where it was made" in why_missing(copied)


@pytest.mark.parametrize(
    ("change", "words"), [({"parameters": 10**9}, "M weights"), ({"input_shape": (4, 2, 2)}, "works on latents")]
)
def test_what_a_cpu_is_too_slow_for_is_refused_in_the_probes_words(small, change, words, monkeypatch):
    from cfs_explore.probe.network import Probe

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    changed = open_run(small.path)
    backbone_entry = changed.manifest.backbone.model_copy(update=change)
    monkeypatch.setattr(changed, "manifest", changed.manifest.model_copy(update={"backbone": backbone_entry}))
    with pytest.raises(BackboneError) as refused:
        Probe.open(changed)
    assert words in str(refused.value) and why_missing(changed) == str(refused.value)


def test_it_is_made_where_it_or_its_page_is_named():
    assert not {"image-where", "probe-encoder-z", "lab-curve"} & set(catalogue.named())
    assert "image-map" in catalogue.named() and "image-where" in catalogue.named(["image"])


@pytest.mark.parametrize(("largest", "words"), [(2000, "above 500: speaks for OOD"), (10, "below −2.5: speaks for ID")])
def test_lines_are_named_by_as_many_digits_as_they_have(largest, words):
    assert words in colours("score", [Where(np.full((2, 4, 4), largest, np.float32), 1.0)])


def test_colours_are_no_verdict(digits):
    """In nearly every ID image some position is beyond the solid lines."""
    assert all(
        "ID images have both" in colours(part, [Where(np.ones((2, 4, 4)), 1.0)]) for part in ("score", "deviation")
    )
    run, looked = digits, []
    rows = run.images("id_test", columns=("image_id", "name", "label", "thumbnail")).head(12)
    probe = backbone.backbone_of(run)
    for row in rows.to_dict("records"):
        image = stored_image(run, run.entry("id_test"), row)
        looked.append(probe.where(image, [run.cell(find_cell(run, "up1.res2@5"))]).maps)
    maps = np.stack(looked)
    assert maps.mean(axis=(0, 2, 3)) == pytest.approx([1, 1], abs=0.4)
    assert (maps[:, 1].max(axis=(1, 2)) > 1.5).mean() > 0.8
