"""What holds for each detector of likelihoods, scores and reconstructions: draws, batch, order, cost, bad networks."""

import dataclasses

import numpy as np
import pytest
import torch

from cfs_explore import detectors
from cfs_explore.errors import CFSError

#: Smaller than the published settings, so that batches of one take no minute.
OPTIONS = {
    "scoped": {},
    "scoped_single": {"probes": 2, "jvp": "difference"},
    "eigenscore": {"lams": (2.14, -0.43), "iterations": 3},
    "nll": {"lams": (9.0, 3.0, 0.0, -6.0)},
    "typicality": {},
    "input_complexity": {},
    "likelihood_ratio": {},
    "band_ratio": {},
    "dose": {},
    "lmd_mse": {"steps": 5},
    "layer_consistency": {},
}


@pytest.fixture(scope="module")
def create(tiny):
    def made(name, **further):
        background = {"background": tiny.untrained(7)} if name == "likelihood_ratio" else {}
        return detectors.create(name, **OPTIONS[name], **background, **further)

    return made


@pytest.mark.parametrize("name", OPTIONS)
def test_batch_order_and_further_draws_do_not_matter(tiny, tiny_images, create, name):
    ids = [f"image {i}" for i in range(24)]
    detector = create(name)
    z = detector.read(tiny, tiny_images, ids, seed=5, batch_size=64)
    scores = detector.fit(z).score(z)
    size = np.abs(z).max(axis=1, keepdims=True)  # of each feature; a trace may be nearly zero
    size *= 10 if name == "scoped_single" else 1  # differences of two forwards lose a digit
    for batch in (1, 7):
        again = detector.read(tiny, tiny_images, ids, seed=5, batch_size=batch)
        np.testing.assert_allclose(again / size, z / size, atol=1e-5)
        np.testing.assert_allclose(detector.score(again), scores, rtol=1e-4, atol=1e-4)
    turned = detector.read(tiny, tiny_images[::-1], ids[::-1], seed=5)[:, ::-1]
    np.testing.assert_allclose(turned / size, z / size, atol=1e-5)
    more = create(name, draws=2).read(tiny, tiny_images, ids, seed=5)
    np.testing.assert_allclose(more[:1] / size, z / size, atol=1e-5)
    if name != "input_complexity":
        assert not np.allclose(more[0], more[1])


@pytest.mark.parametrize("name", OPTIONS)
def test_costs_are_calls_of_the_network(tiny, tiny_images, create, name):
    detector = create(name, draws=2)
    cost = detector.cost(tiny)
    counted = []
    networks = [tiny, *([detector.background] if name == "likelihood_ratio" else [])]
    handles = [n.module.register_forward_pre_hook(lambda m, inputs: counted.append(len(inputs[0]))) for n in networks]
    try:
        detector.read(tiny, tiny_images)
    finally:
        for handle in handles:
            handle.remove()
    assert sum(counted) == cost.forwards * 24
    assert cost.jvps == (4 if name == "scoped" else 0)
    assert detector.fit_cost(tiny) == cost
    if name != "layer_consistency":
        assert cost.effective == cost.forwards


@pytest.mark.parametrize("name", OPTIONS)
def test_published_settings_cost(tiny, name):
    wanted = {"scoped": 2, "scoped_single": 1, "eigenscore": 80, "lmd_mse": 100, "layer_consistency": 2}
    background = {"background": tiny.untrained(7)} if name == "likelihood_ratio" else {}
    cost = detectors.create(name, **background).cost(tiny)
    assert cost.forwards == wanted.get(name, 40 if background else 20)
    assert cost.jvps == {"scoped": 2, "scoped_single": 1}.get(name, 0)


@pytest.mark.parametrize("name", OPTIONS)
def test_tables_can_say_what_it_is(name, create):
    detector = create(name)
    assert all((detector.title, detector.paper, detector.variant, detector.meaning))


@pytest.mark.parametrize("name", OPTIONS)
def test_a_network_that_breaks_is_named(tiny, tiny_images, create, name):
    broken = tiny.untrained(3)
    with torch.no_grad():
        next(broken.module.parameters()).fill_(float("nan"))
    with pytest.raises(CFSError, match=r"not finite|no gradient"):
        create(name).read(broken, tiny_images[:4])


@pytest.mark.parametrize("name", OPTIONS)
def test_constant_images_score(tiny, tiny_images, create, name):
    detector = create(name)
    detector.fit(detector.read(tiny, tiny_images))
    grey = np.linspace(-1, 1, 4, dtype=np.float32).reshape(4, 1, 1, 1) * np.ones((4, *tiny.image_shape), np.float32)
    assert np.isfinite(detector.score(detector.read(tiny, grey))).all()


#: What learns a spread, so that ID images must differ.
WITH_SPREAD = ("scoped", "scoped_single", "eigenscore", "likelihood_ratio", "band_ratio", "dose")


@pytest.mark.parametrize("name", OPTIONS)
def test_one_image_as_all_of_id_is_refused_where_it_leaves_no_unit(tiny, tiny_images, create, name):
    detector = create(name)
    z = detector.read(tiny, np.repeat(tiny_images[:1], 5, axis=0), ["one"] * 5)
    z[:] = z[:, :1]  # threads may round apart
    if name in WITH_SPREAD:
        with pytest.raises(CFSError, match="no spread"):
            detector.fit(z)
    else:
        assert np.isfinite(detector.fit(z).score(z)).all()


@pytest.mark.parametrize("name", OPTIONS)
def test_readings_are_told_apart_by_their_name(tiny, name, create):
    """Every option that changes numbers is in a reading's name, columns or levels."""
    other = {
        "scoped": {"probes": 2},
        "scoped_single": {"probes": 3},
        "eigenscore": {"step": 0.5},
        "lmd_mse": {"repetitions": 1},
    }.get(name)
    if other is None:
        return

    def identity(detector):
        return [
            (r.name, tuple(r.columns), tuple(dataclasses.astuple(level) for level in r.levels))
            for r in detector.readings(tiny)
        ]

    assert identity(create(name)) != identity(detectors.create(name, **(OPTIONS[name] | other)))
