"""Depths and costs are shares of work that was really done, counted by formula in forwards that really stop."""

import numpy as np
import pandas as pd
import pytest
import torch
from native_files import write_native
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from cfs_explore.backbones import load_backbone
from cfs_explore.contracts import Cell
from cfs_explore.diagnostics.compose import detector_summary, effective_forwards
from cfs_explore.diagnostics.cost import detector_costs
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots
from cfs_explore.taps.capture import capture

FAMILIES = ("improved-diffusion", "guided-diffusion", "edm_vp_ddpmpp", "edm_ve_ncsnpp", "score-sde", "unet2d")


class HandCount(TorchFunctionMode):
    """Counts two operations per multiplication in convolutions, linear maps, products of matrices and attention."""

    def __init__(self):
        super().__init__()
        self.total = self.attention = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        kind = getattr(func, "__name__", "")
        if kind in ("conv1d", "conv2d"):
            self.total += 2 * out.numel() * args[1][0].numel()  # a kernel per output
        elif kind == "conv_transpose2d":
            self.total += 2 * args[0].numel() * args[1][0].numel()  # a kernel per input
        elif kind == "linear":
            self.total += 2 * out.numel() * args[1].shape[1]
        elif kind == "scaled_dot_product_attention":
            query, key, value = args[:3]
            work = 2 * query.numel() * key.shape[-2] + 2 * out.numel() * value.shape[-2]
            self.total, self.attention = self.total + work, self.attention + work
        else:
            assert kind not in ("matmul", "__matmul__", "bmm", "baddbmm", "einsum", "addmm", "mm", "conv3d"), kind
        return out


@pytest.fixture(scope="module")
def backbone_of(tmp_path_factory, tiny_folder):
    """A family's network, loaded once."""
    home, loaded = tmp_path_factory.mktemp("work"), {}

    def get(name):
        if name not in loaded:
            source = tiny_folder if name == "unet2d" else write_native(home, name)
            loaded[name] = load_backbone(source, device="cpu")
        return loaded[name]

    return get


def work(backbone, taps=()) -> HandCount:
    """Of one image's forward, up to the last of the taps."""
    level, x = backbone.match(2.0), torch.randn(1, *backbone.input_shape)
    with torch.no_grad(), HandCount() as count:
        if not taps:
            backbone.forward(x, level)
            return count
        with capture(backbone.module, [tap.name for tap in taps], backbone.activation):
            backbone.forward(x, level)
    return count


@pytest.mark.parametrize("name", FAMILIES)
def test_depth_is_the_work_of_a_forward_that_stops_there(backbone_of, name):
    backbone = backbone_of(name)
    whole = work(backbone)
    assert whole.attention > 0
    taps = backbone.taps()
    for tap in [*taps[::3], taps[-1]]:
        assert tap.depth == pytest.approx(work(backbone, [tap]).total / whole.total, rel=1e-9), tap.name


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("kernels", [[SDPBackend.MATH], [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]])
def test_every_kernel_of_attention_is_counted(backbone_of, name, kernels):
    backbone = backbone_of(name)
    with torch.no_grad(), sdpa_kernel(kernels), FlopCounterMode(display=False) as counter:
        backbone.forward(torch.zeros(1, *backbone.input_shape), backbone.match(5.0))
    assert counter.get_total_flops() == work(backbone).total


def extracted(backbone, cells, taps, lams, draws: int, n: int) -> float:
    """Work per image of extracting these cells, level by level, in full forwards."""
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (n, *backbone.image_shape)).astype(np.float32)
    noise = random.standard_normal((draws, n, *backbone.input_shape)).astype(np.float32)
    done, total = [], 0
    for k in sorted({cell.level for cell in cells}):
        chosen = [taps[cell.tap] for cell in cells if cell.level == k]
        reading = TapSnapshots([backbone.match(lams[k])], chosen)
        reader = Reader(backbone, reading, batch_size=3, after_batch=done.append)
        with HandCount() as count:
            reader(images, noise)
        total += count.total
    assert sum(done) == n * draws * len({cell.level for cell in cells})  # #F, for every image
    return total / n / work(backbone).total


@pytest.mark.parametrize("name", FAMILIES)
def test_composed_detectors_cost_what_their_extraction_takes(backbone_of, name):
    backbone, lams, draws = backbone_of(name), (5.0, 1.0, -1.0), 2
    taps = backbone.taps()
    early, late = (next(t for t, tap in enumerate(taps) if tap.region == r) for r in ("encoder", "decoder"))
    for cells in (
        [Cell(1, early)],
        [Cell(0, early), Cell(0, late)],
        [Cell(0, early), Cell(0, late), Cell(1, early), Cell(2, late)],
    ):
        cost = effective_forwards(cells, taps, draws)
        assert cost == pytest.approx(extracted(backbone, cells, taps, lams, draws, n=2), rel=1e-9)
        assert cost < draws * len({cell.level for cell in cells})


def test_the_tables_show_these_costs(backbone_of):
    backbone, lams, draws = backbone_of("score-sde"), (5.0, 1.0), 2
    taps = backbone.taps()
    early, late = (next(t for t, tap in enumerate(taps) if tap.region == r) for r in ("encoder", "decoder"))
    scores = [np.random.default_rng(seed).random((8, draws, len(lams), len(taps))) for seed in (0, 1)]
    cells = [Cell(0, early), Cell(0, late), Cell(1, early), Cell(1, late)]
    row = detector_summary(*scores, cells, taps=taps)
    measured = extracted(backbone, cells, taps, lams, draws, n=1)
    assert (row["forwards"], row["effective"]) == (len(lams) * draws, pytest.approx(measured))
    presets, ms = {"manual": [taps[early].name, taps[late].name]}, {tap.name: tap.depth for tap in taps}
    table = detector_costs(*scores, taps=taps, lams=lams, presets=presets, main=0, ms=ms)
    assert_priced(table, f"{early},{late}", "0,1", draws, measured)
    decoder = extracted(backbone, [Cell(1, late)], taps, lams, 1, n=1)
    assert_priced(table[table["kind"] == "CFS-dec"], str(late), "1", 1, decoder)


def assert_priced(table: pd.DataFrame, taps: str, levels: str, draws: int, measured: float) -> None:
    rows = table[(table["taps"] == taps) & (table["levels"] == levels) & (table["draws"] == draws)]
    assert len(rows) == 1
    assert rows["forwards"].item() == draws * len(levels.split(","))
    assert rows["effective"].item() == pytest.approx(measured)
    assert rows["ms"].item() == pytest.approx(measured)  # a clock that shows the work
