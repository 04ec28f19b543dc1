"""The stage of detectors on small runs: equal conditions, reasons instead of numbers, work that is kept."""

import itertools

import detector_runs
import numpy as np
import pytest
from detector_runs import NAMES, measure

from cfs_explore import detectors
from cfs_explore.contracts import Cell
from cfs_explore.corruption import to_signed
from cfs_explore.diagnostics import auroc, compose, paired_auroc_difference
from cfs_explore.diagnostics.cfs_grid import Grid
from cfs_explore.diagnostics.falsifier import Yardsticks, leads, says
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.scoring import Moments
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.studies.detectors import map_forwards

copied = detector_runs.copied  # a fixture
TABLES = DIAGNOSTICS["detectors"].table_names
DEAR = {"eigenscore", "lmd_mse", "ddpm_ood", "ddpm_ood_mbe"}
#: Images for all; what fits here but for the dear ones. 16 ID-train images are too few for a mixture of 20.
TRAIN, IMAGES, BUDGET = 16, 8, 60.0


@pytest.fixture(scope="module")
def run(copied, finished, tiny):
    """The finished run after the stage, with what it reported."""
    events = []
    found = measure(copied(finished, train=TRAIN, images=IMAGES, budget=BUDGET), tiny, report=events.append)
    found.events = [event for event in events if event.stage == "falsifier"]
    return found


@pytest.fixture
def study(run, tiny):
    """The stage's study inside a started progress."""
    found = Study(run, Progress(), backbone=tiny)
    found.progress.start("by hand", 1, "")
    return found


def read_by_hand(study, name, backbone=None):
    """ID, and OOD "bright", scores of a detector that reads, fits and scores on its own."""
    backbone = backbone or study.backbone
    detector = detectors.create(name)
    samples = [
        study.sample(*which, limit=limit)
        for which, limit in ((("id_train",), TRAIN), (("id_test",), IMAGES), (("ood", "bright"), IMAGES))
    ]
    detector.fit(detector.read(backbone, to_signed(samples[0].pixels), samples[0].ids, study.spec.seed))
    return [
        detector.score(detector.read(backbone, to_signed(sample.pixels), sample.ids, study.spec.seed))
        for sample in samples[1:]
    ]


def stored(run, name, role="ood", network="trained", dataset="bright"):
    table = run.table("detector_scores")
    rows = table[(table["detector"] == name) & (table["network"] == network) & (table["role"] == role)]
    return rows[rows["dataset"] == dataset] if role == "ood" else rows


def test_tables_have_their_columns_and_a_row_for_everything(run):
    assert run.manifest.stages["detectors"].state == "done"
    for table in DIAGNOSTICS["detectors"].tables:
        expected = [column.name for column in table.columns]
        assert sorted(run.table(table.name).columns) == sorted(expected), table.name
    rows = run.table("falsifier")
    everything = itertools.product(NAMES, ("trained", "untrained"), run.ood_names)
    assert sorted(zip(rows["detector"], rows["network"], rows["ood"], strict=True)) == sorted(everything)
    measured = rows["auroc"].notna()
    assert (rows.loc[~measured, "note"] != "").all()
    assert set(rows.loc[~measured, "detector"]) == DEAR | {"likelihood_ratio", "msma", "diffpath_6d"}
    numbers = ["lo", "hi", "aupr", "fpr95", "to_pair", "to_pair_lo", "to_decoder_hi", "ms", "cost"]
    assert np.isfinite(rows.loc[measured, numbers]).all(axis=None)
    kinds = rows.groupby("kind")["detector"].agg(set)
    assert kinds["cfs"] == {"cfs_1x2", "cfs_dec_1x1", "cfs_enc_1x1", "cfs_2x2"}
    assert kinds["head"] == {name for name in NAMES if name.startswith("head_")}


def test_all_have_the_same_images_and_one_id_train_subset(run):
    rows = run.table("falsifier")
    assert set(rows["n_train"]) == {TRAIN} and set(rows["n_id"]) == {IMAGES}
    assert rows.groupby("ood")["n_ood"].agg(set).to_dict() == {"bright": {8}, "folder": {5}, "letters": {8}}
    scores = run.table("detector_scores")
    images = scores.groupby(["detector", "network"])["image_id"].agg(tuple)
    assert len(set(images)) == 1 and len(images) == 2 * (len(NAMES) - len(DEAR) - 3)
    for role, dataset in (("id_test", None), ("ood", "bright"), ("ood", "folder")):
        part = stored(run, "one_step_mbe", role, dataset=dataset)
        ids = run.images(role, dataset, columns=["image_id"])["image_id"].to_numpy()
        assert part["image_id"].tolist() == ids[part["row"]].tolist() and part["row"].is_monotonic_increasing


@pytest.mark.parametrize(
    "name", ["cfs_1x2", "head_knn", "one_step_mbe", "gepc", "scoped_single", "typicality", "input_complexity"]
)
def test_scores_are_those_of_a_detector_by_itself(run, study, name):
    of_id, of_ood = read_by_hand(study, name)
    np.testing.assert_allclose(stored(run, name, "id_test")["score"], of_id, rtol=1e-3)
    np.testing.assert_allclose(stored(run, name)["score"], of_ood, rtol=1e-3)
    row = run.table("falsifier").query("detector == @name and network == 'trained' and ood == 'bright'").iloc[0]
    stored_pair = [stored(run, name, role)["score"].to_numpy() for role in ("id_test", "ood")]
    assert (row["auroc"], row["lo"], row["hi"]) == pytest.approx(tuple(auroc(*stored_pair)))
    pair = [stored(run, "cfs_1x2", role)["score"].to_numpy() for role in ("id_test", "ood")]
    expected = paired_auroc_difference(*stored_pair, *pair)
    assert (row["to_pair"], row["to_pair_lo"], row["to_pair_hi"]) == pytest.approx(tuple(expected)[:3])


def test_detectors_that_share_a_reading_read_the_same(tiny, tiny_images):
    """What one keeps, the other takes; so what decides a reading is in its identity."""
    kept, shared = {}, 0
    for name in NAMES:
        if name in DEAR | {"likelihood_ratio"}:
            continue
        detector = detectors.create(name)
        z = detector.read(tiny, tiny_images[:2], ["a", "b"])
        for reading in detector.readings(tiny):
            part = detector.read_one(reading, tiny, tiny_images[:2], ["a", "b"])
            before = kept.setdefault(detector.identity(reading), part)
            np.testing.assert_array_equal(part, before)
            shared += before is not part
            assert part.shape[2] <= z.shape[2]
    assert shared >= 8  # heads with CFS(1x2), a DiffPath with the other, likelihoods among each other


def test_input_complexity_takes_the_terms_that_the_likelihood_read(run):
    """One reading for all of them; what each needs alone is still its cost."""
    table = run.table("detector_readings")
    by = table.drop_duplicates("reading")["detectors"].str.split(", ")
    assert by.map(lambda names: {"nll", "typicality", "input_complexity", "dose"} <= set(names)).sum() == 1
    assert by.map(lambda names: names == ["input_complexity"]).sum() == 1  # the bits of its PNG
    assert by.map(lambda names: "nll" in names).sum() == 1
    rows = run.table("falsifier").query("network == 'trained' and ood == 'bright'").set_index("detector")
    assert rows.loc["input_complexity", "forwards"] == rows.loc["nll", "forwards"] > 10
    assert rows.loc["input_complexity", "ms"] > rows.loc["nll", "ms"]


def test_untrained_rows_are_an_untrained_copy(run, study, tiny):
    copy = tiny.untrained(0)
    of_id, of_ood = read_by_hand(study, "msma_mbe", copy)
    np.testing.assert_allclose(stored(run, "msma_mbe", "id_test", "untrained")["score"], of_id, rtol=1e-3)
    np.testing.assert_allclose(stored(run, "msma_mbe", "ood", "untrained")["score"], of_ood, rtol=1e-3)
    row = run.table("falsifier").query("detector == 'cfs_1x2' and network == 'untrained' and ood == 'letters'").iloc[0]
    pairs = [
        [stored(run, "cfs_1x2", role, network, "letters")["score"].to_numpy() for role in ("id_test", "ood")]
        for network in ("untrained", "trained")
    ]
    assert row["to_pair"] == pytest.approx(auroc(*pairs[0]).value - auroc(*pairs[1]).value)


def test_one_copy_has_no_spread_and_its_difference_is_paired(run):
    rows = run.table("falsifier").query("ood == 'letters'").set_index(["detector", "network"])
    own, copy = (rows.loc[("msma_mbe", network)] for network in ("trained", "untrained"))
    assert (own["copies"], own["copy"], copy["copies"]) == (1, 0, 0) and np.isnan(copy["to_untrained"])
    assert own[["untrained", "untrained_lo", "untrained_hi"]].tolist() == pytest.approx(
        copy[["auroc", "lo", "hi"]].tolist(), abs=1e-9
    )
    scores = [
        stored(run, "msma_mbe", role, network, "letters")["score"].to_numpy()
        for network in ("trained", "untrained")
        for role in ("id_test", "ood")
    ]
    expected = paired_auroc_difference(*scores)
    found = own[["to_untrained", "to_untrained_lo", "to_untrained_hi"]].tolist()
    assert found == pytest.approx(list(expected)[:3])
    assert rows.loc[("ddpm_ood", "trained"), "copies"] == 0


def test_the_best_cfs_is_of_the_map_on_the_same_images_and_id_train(run, study):
    """Slot scores by hand, from snapshots of the 16 ID-train images."""
    samples = [
        study.sample(*which, limit=limit)
        for which, limit in ((("id_train",), TRAIN), (("id_test",), IMAGES), (("ood", "bright"), IMAGES))
    ]
    train, *blocks = (next(study.blocks(sample, run.levels))[1] for sample in samples)
    reference, grid = Moments.of(train), Grid.of(len(run.levels), run.taps)
    slots, start = [np.empty((len(run.levels), len(run.taps), block.shape[2])) for block in blocks], 0
    for tap, site in enumerate(run.taps):
        part = slice(start, start + 2 * site.channels)
        start = part.stop
        for found, block in zip(slots, blocks, strict=True):
            for level in range(len(run.levels)):
                away = (block[level, 0][:, part] - reference.mean[level, part]) ** 2
                found[level, tap] = (away / reference.variance[level, part]).mean(axis=1)
    cells = grid.cells(len(grid.forwards) - 1)
    maps = slots[1].transpose(2, 0, 1)[:, None]
    np.testing.assert_allclose(grid.scores(slots[1])[-1], compose(maps, [Cell(*cell) for cell in cells]))
    own = {name: [stored(run, name, role)["score"].to_numpy() for role in ("id_test", "ood")] for name in NAMES[:4]}
    candidates = tuple(grid.scores(each) for each in slots)
    yard = Yardsticks(own["cfs_1x2"], own["cfs_dec_1x1"], candidates, grid.forwards)
    rows = run.table("falsifier").query("network == 'trained' and ood == 'bright'").set_index("detector")
    for name in ("cfs_1x2", "cfs_2x2"):
        expected = yard.compare(*own[name], rows.loc[name, "cost"])
        for column in ("to_best", "to_best_lo", "to_best_hi", "best"):
            assert rows.loc[name, column] == pytest.approx(expected[column], abs=1e-6), column


def test_leads_are_those_of_the_stored_scores(run):
    table = run.table("leads").query("ood == 'bright'")
    names = table["detector"].tolist()
    variants = ["cfs_1x2", "cfs_dec_1x1", "cfs_enc_1x1", "cfs_2x2"]
    assert names == [n for n in NAMES if n not in DEAR and not n.startswith(("cfs", "head"))
                     and n not in ("likelihood_ratio", "msma", "diffpath_6d")]  # fmt: skip
    rivals, known = (
        tuple(np.stack([stored(run, name, role)["score"] for name in some]) for role in ("id_test", "ood"))
        for some in (names, variants)
    )
    expected = leads(rivals, known)
    for column in ("lead", "lead_lo", "lead_hi"):
        assert table[column].to_numpy() == pytest.approx(expected[column].to_numpy())
    assert table["says"].tolist() == says(expected).tolist()
    titles = [detectors.create(name).title for name in variants]
    assert table["ahead_of"].tolist() == [titles[k] for k in expected["variant"]]


def test_costs_are_declared_and_a_product_counts_what_it_took(run, tiny):
    rows = run.table("falsifier").query("ood == 'bright'").set_index(["detector", "network"])
    for (name, _), row in rows[rows["auroc"].notna()].iterrows():
        cost = detectors.create(name).cost(tiny)
        assert (row["forwards"], row["jvps"]) == (cost.forwards, cost.jvps) or name == "gepc"
        if not row["jvps"]:
            assert row["cost"] == row["forwards"]
    products = {
        (row["cost"] - row["forwards"]) / row["jvps"] for _, row in rows[rows["jvps"] > 0].iterrows()
    }  # timed once for all detectors and both networks
    assert max(products) == pytest.approx(min(products)) and min(products) >= 0
    scoped = rows.loc[("scoped", "trained")]
    assert scoped["effective"] == pytest.approx(scoped["cost"])
    gepc = rows.loc[("gepc", "trained")]
    assert (gepc["forwards"], gepc["fit_forwards"]) == (16, 32)


def test_what_the_budget_leaves_out_says_what_it_would_take(run):
    rows = run.table("falsifier")
    notes = rows[rows["detector"].isin(DEAR)]["note"]
    assert notes.str.contains(r"budget of 60 times the map's has no room for them: one of [\d.]+ has").all()
    needed = notes.str.extract(r"them: one of ([\d.]+) has")[0].astype(float)
    assert (needed > BUDGET).all() and needed.groupby(rows["detector"]).nunique().max() == 1
    by_name = needed.groupby(rows["detector"]).first()
    for name, rows_of in rows[rows["detector"].isin(DEAR)].groupby("detector"):
        assert rows_of["needed"].unique().tolist() == [by_name[name]]
    assert rows.loc[~rows["detector"].isin(DEAR), "needed"].isna().all()
    assert by_name["eigenscore"] < by_name["lmd_mse"] < by_name["ddpm_ood"] < by_name["ddpm_ood_mbe"]


def test_the_work_stays_within_the_budget(run):
    allowed = BUDGET * map_forwards(run.counts)
    assert 0.5 * allowed < run.events[-1].done <= allowed
    assert DIAGNOSTICS["detectors"].forwards(run.counts._replace(budget=BUDGET)) == int(allowed)


def test_too_few_id_images_are_a_reason(run):
    notes = run.table("falsifier").groupby("detector")["note"].first()
    assert "A mixture of 20 Gaussians needs at least 20 ID-train images" in notes["msma"]
    assert "at least 100 ID-train images" in notes["diffpath_6d"]
    assert "second network" in notes["likelihood_ratio"]
    assert set(run.table("detector_scores")["detector"]).isdisjoint(["msma", "diffpath_6d", "likelihood_ratio"])


def test_readings_are_what_the_rivals_read_of_the_trained_network(run, study):
    table = run.table("detector_readings")
    rows = table[table["detectors"].str.split(", ").map(lambda names: "one_step_mbe" in names)]
    assert set(rows["role"]) == {"id_train", "id_test", "ood"}
    sample = study.sample("ood", "folder", limit=IMAGES)
    z = detectors.create("one_step_mbe").read(study.backbone, to_signed(sample.pixels), sample.ids, study.spec.seed)
    found = rows[(rows["role"] == "ood") & (rows["dataset"] == "folder")]
    np.testing.assert_allclose(found["value"], z[0].ravel(), rtol=1e-4)
    assert found["image_id"].tolist() == np.repeat(sample.ids, z.shape[2]).tolist()
    keys = ["reading", "role", "dataset", "image_id", "feature"]
    assert not table.duplicated(keys).any() and not table["detectors"].str.contains("cfs|head").any()
