"""Levels of Score-SDE networks against closed forms (theory 1), and what a prescribed network makes of them."""

import math

import numpy as np
import pytest
import torch

from cfs_explore.backbones.base import as_images
from cfs_explore.backbones.nets.ncsnpp import Architecture
from cfs_explore.backbones.network import Network
from cfs_explore.backbones.score_sde import conditioning_of
from cfs_explore.backbones.score_sde_config import ScoreSde
from cfs_explore.errors import LevelError

BETA_MIN, BETA_MAX, COUNT = 0.1, 20.0, 50
SIGMAS = [math.exp(math.log(50.0) + i / (COUNT - 1) * math.log(0.01 / 50.0)) for i in range(COUNT)]


class Prescribed(torch.nn.Module):
    """Answers ``answer(x, t)`` and remembers both."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.weight, self.given = answer, torch.nn.Parameter(torch.zeros(1)), None

    def forward(self, x, t):
        self.given = (x, t)
        return self.answer(x, t)


def backbone_of(sde: str, answer=None, *, continuous: bool = True, centered: bool | None = None) -> Network:
    centered = sde != "vesde" if centered is None else centered
    embedding = "fourier" if sde == "vesde" and continuous else "positional"
    architecture = Architecture("ncsnpp", 1, 16, (1,), 1, (), "biggan", embedding, "none", "none", False, True,
                                centered, sde == "vesde")  # fmt: skip
    levels = torch.tensor(SIGMAS, dtype=torch.float64)
    config = ScoreSde(architecture, 4, sde, continuous, levels, BETA_MIN, BETA_MAX)
    return Network(
        Prescribed(answer), conditioning_of(config), family="score-sde", name="prescribed", input_shape=(1, 4, 4),
        sites={}, fresh=lambda: Prescribed(answer),
    )  # fmt: skip


def abar(t: float) -> float:
    """Of the VP SDE with linear beta, in closed form."""
    return math.exp(-0.5 * t**2 * (BETA_MAX - BETA_MIN) - t * BETA_MIN)


def amplitudes(sde: str, native: float) -> tuple[float, float]:
    """a and b of images in [-1, 1] at a native level of the continuous SDEs (Song et al. 2021, equation 29)."""
    if sde == "vesde":
        return 1.0, native
    mean = math.sqrt(abar(native))
    return mean, math.sqrt(1 - abar(native)) if sde == "vpsde" else 1 - abar(native)


@pytest.mark.parametrize("sde", ["vesde", "vpsde", "subvpsde"])
@pytest.mark.parametrize("lam", [7.0, 5.0, 0.3, -3.0])
def test_continuous_levels_hit_every_lam(sde, lam):
    level = backbone_of(sde).match(lam)
    a, b = amplitudes(sde, level.native)
    assert (level.a, level.b) == pytest.approx((a, b), rel=1e-6)
    assert math.log(a**2 / b**2) == pytest.approx(lam, abs=1e-5)
    assert (level.requested, level.lam) == (lam, pytest.approx(lam))


@pytest.mark.parametrize("sde", ["vpsde", "subvpsde"])
def test_the_reach_of_vp_is_that_of_its_times(sde):
    low, high = (2 * math.log(a / b) for a, b in (amplitudes(sde, 1.0), amplitudes(sde, 1e-5)))
    assert backbone_of(sde).reach == pytest.approx((low, high), rel=1e-5)


@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize(("centered", "stretch"), [(True, 1), (False, 2)])
def test_the_reach_of_ve_is_that_of_its_sigmas_in_images_from_minus_one_to_one(continuous, centered, stretch):
    backbone = backbone_of("vesde", continuous=continuous, centered=centered)
    expected = -2 * math.log(50.0 * stretch), -2 * math.log(0.01 * stretch)
    assert backbone.reach == pytest.approx(expected)
    for end, lam in zip(expected, (-40.0, 40.0), strict=True):
        level = backbone.match(lam)
        assert (level.requested, level.lam) == (lam, pytest.approx(end))
    assert "stands in for it" in backbone.out_of_reach([40.0])[0]


@pytest.mark.parametrize("sde", ["vpsde", "subvpsde"])
@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.8, 1.0])
def test_uniform_t_is_a_share_of_the_time(sde, fraction):
    backbone = backbone_of(sde)
    low, high = backbone.reach
    level = backbone.match(high - fraction * (high - low), "uniform_t")
    assert level.native == pytest.approx(1e-5 + fraction * (1 - 1e-5), rel=1e-4, abs=1e-6)
    assert (level.a, level.b) == pytest.approx(amplitudes(sde, level.native), rel=1e-4)


@pytest.mark.parametrize(("centered", "stretch"), [(True, 1), (False, 2)])
@pytest.mark.parametrize("alignment", ["logsnr", "uniform_t"])
def test_discrete_ve_snaps_to_the_nearest_sigma(centered, stretch, alignment):
    backbone = backbone_of("vesde", continuous=False, centered=centered)
    lams = np.array([-2 * math.log(stretch * sigma) for sigma in SIGMAS])
    for lam in (8.0, 5.0, 0.3, -3.0, 40.0):
        level = backbone.match(lam, alignment)
        nearest = int(np.argmin(np.abs(lams - lam)))
        assert level.native == nearest
        assert (level.a, level.b) == (1.0, pytest.approx(stretch * SIGMAS[nearest]))
        assert level.lam == pytest.approx(lams[nearest])


def test_discrete_vp_is_the_chain_of_betas():
    backbone = backbone_of("vpsde", continuous=False)
    log_abar, lams = 0.0, []
    for i in range(COUNT):
        log_abar += math.log1p(-(BETA_MIN + i / (COUNT - 1) * (BETA_MAX - BETA_MIN)) / COUNT)
        lams.append(log_abar - math.log(-math.expm1(log_abar)))
    for lam in (5.0, 0.3, -3.0):
        level = backbone.match(lam)
        nearest = int(np.argmin(np.abs(np.array(lams) - lam)))
        assert (level.native, level.lam) == (nearest, pytest.approx(lams[nearest]))
        assert 2 * math.log(level.a / level.b) == pytest.approx(level.lam)


@pytest.mark.parametrize("sde", ["vesde", "vpsde", "subvpsde"])
@pytest.mark.parametrize(("lam", "alignment"), [(float("nan"), "logsnr"), (1.0, "score_norm"), (1.0, "other")])
def test_requests_that_no_schedule_decides_are_refused(sde, lam, alignment):
    for continuous in (True, False):
        with pytest.raises(LevelError):
            backbone_of(sde, continuous=continuous).match(lam, alignment)


# What the network is conditioned on, and how its answer is read


KINDS = [("vesde", True, True), ("vesde", True, False), ("vesde", False, True), ("vesde", False, False),
         ("vpsde", True, True), ("vpsde", False, True), ("subvpsde", True, True)]  # fmt: skip


@pytest.mark.parametrize(("sde", "continuous", "centered"), KINDS)
def test_a_network_that_knows_the_answer_gives_noise_and_image(sde, continuous, centered, clean_and_noise):
    """VE networks answer the score of what they are given, the others -std times it, as the original trains them."""
    x0, e = clean_and_noise
    half = 1.0 if centered else 0.5
    own = x0 if centered else (x0 + 1) / 2

    def answer(x, t):
        if sde == "vesde":
            sigma = t if continuous else torch.tensor(SIGMAS)[t]
            return -(x - own) / as_images(sigma) ** 2
        a, b = (as_images(torch.tensor([getattr(level, key) for level in levels])) for key in "ab")
        return b * ((x - a * own) / b**2)

    backbone = backbone_of(sde, answer, continuous=continuous, centered=centered)
    levels = [backbone.match(lam) for lam in (6.0, 4.0, 1.0, -1.0, -4.0)]
    a, b = (as_images(torch.tensor([getattr(level, key) for level in levels])) for key in "ab")
    x = a * x0 + b * e
    torch.testing.assert_close(backbone.predict_eps(x, levels), e, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(backbone.predict_x0(x, levels), x0, rtol=1e-3, atol=1e-2)
    given, t = backbone.module.given
    torch.testing.assert_close(given, x if centered else (x + 1) / 2)
    native = torch.tensor([level.native for level in levels])
    if sde != "vesde":
        expected = native * 999 if continuous else native.long()
    else:
        expected = native * half if continuous else native.long()
    torch.testing.assert_close(t, expected)
    assert backbone.published() is None


def test_indices_of_discrete_ve_grow_towards_clean_images_and_steps_of_vp_towards_noise():
    ve, vp = (backbone_of(sde, continuous=False) for sde in ("vesde", "vpsde"))
    assert ve.match(8.0).native > ve.match(-3.0).native
    assert vp.match(8.0).native < vp.match(-3.0).native
    assert ve.match(-40.0).native == 0 and vp.match(40.0).native == 0
