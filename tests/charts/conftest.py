"""Made-up but realistic tables: 29 taps of a small diffusers UNet x 8 levels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

LAMS = (9.21, 7.5, 6.2, 5.0, 3.5, 1.0, -1.0, -3.0)


def tap_names() -> list[tuple[str, str, int]]:
    """(name, region, resolution) in execution order."""
    taps = [("conv_in", "input", 32)]
    for i, size in enumerate((32, 16, 8)):
        taps += [(f"down_blocks.{i}.resnets.{j}", "encoder", size) for j in (0, 1)]
        taps += [(f"down_blocks.{i}.attentions.{j}", "encoder", size) for j in (0, 1) if i == 1]
        if i < 2:
            taps.append((f"down_blocks.{i}.downsamplers.0", "encoder", size // 2))
    taps += [(f"mid_block.{part}", "middle", 8) for part in ("resnets.0", "attentions.0", "resnets.1")]
    for i, size in enumerate((8, 16, 32)):
        taps += [(f"up_blocks.{i}.resnets.{j}", "decoder", size) for j in (0, 1, 2)]
        taps += [(f"up_blocks.{i}.attentions.{j}", "decoder", size) for j in (0, 1, 2) if i == 1]
        if i < 2:
            taps.append((f"up_blocks.{i}.upsamplers.0", "decoder", size * 2))
    taps.append(("conv_act", "output", 32))
    return taps


def synthetic_map(seed: int = 0, peak: float = 0.45, lams=LAMS) -> pd.DataFrame:
    """Tidy map whose AUROC peaks in the decoder at low noise and dips below chance in the early encoder."""
    rng = np.random.default_rng(seed)
    taps = tap_names()
    rows = []
    for level, lam in enumerate(lams):
        for k, (tap, region, resolution) in enumerate(taps):
            depth = (k + 1) / len(taps)
            signal = peak * np.exp(-(((lam - 5.5) / 4) ** 2)) * (1.4 * np.sin(np.pi * (depth * 1.25 - 0.35)))
            auroc = float(np.clip(0.5 + signal + rng.normal(0, 0.015), 0.02, 0.998))
            half = 0.02 * np.sqrt(auroc * (1 - auroc)) * 2
            rows.append(
                {
                    "level": level,
                    "tap": tap,
                    "tap_index": k,
                    "region": region,
                    "depth": depth,
                    "resolution": resolution,
                    "lam": lam,
                    "requested": round(lam),
                    "auroc": auroc,
                    "auroc_lo": max(0.0, auroc - half),
                    "auroc_hi": min(1.0, auroc + half),
                    "draw_sd": 0.002,
                    "aupr": auroc**1.5,
                    "aupr_lo": auroc**1.5 - 0.02,
                    "aupr_hi": auroc**1.5 + 0.02,
                    "aupr_id": auroc**0.7,
                    "fpr95": 1 - auroc**2,
                    "fpr95_lo": 1 - auroc**2 - 0.02,
                    "fpr95_hi": 1 - auroc**2 + 0.02,
                    "n_id": 500,
                    "n_ood": 400,
                    "draws": 5,
                }
            )
    return pd.DataFrame(rows)


def synthetic_roc() -> pd.DataFrame:
    fpr = np.linspace(0, 1, 101)
    curves = [
        pd.DataFrame({"fpr": fpr, "tpr": fpr**power, "series": name, "auroc_text": text})
        for name, power, text in [
            ("Encoder", 0.35, "0.741 [0.722, 0.760]"),
            ("Decoder", 0.18, "0.847 [0.833, 0.862]"),
            ("CFS(1x2)", 0.14, "0.873 [0.861, 0.884]"),
        ]
    ]
    return pd.concat(curves, ignore_index=True)


def synthetic_bins() -> pd.DataFrame:
    edges = np.linspace(0, 4, 41)
    centre = (edges[:-1] + edges[1:]) / 2

    def density(mean: float, sd: float) -> np.ndarray:
        return np.exp(-0.5 * ((centre - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))

    return pd.DataFrame({"left": edges[:-1], "right": edges[1:], "id": density(1, 0.25), "ood": density(1.8, 0.5)})


def synthetic_detectors() -> pd.DataFrame:
    columns = ["name", "auroc", "lo", "hi", "forwards", "effective", "kind"]
    rows = [
        ("CFS(1x2)", 0.873, 0.861, 0.884, 1, 0.62, "preset"),
        ("CFS-dec(1x1)", 0.851, 0.838, 0.864, 1, 0.62, "preset"),
        ("Composed: 3 cells", 0.902, 0.891, 0.912, 2, 1.31, "composed"),
        ("Best cell, honest", 0.894, 0.879, 0.908, 1, 0.71, "honest"),
        ("Best cell, naive", 0.917, 0.907, 0.927, 1, np.nan, "naive"),
    ]
    return pd.DataFrame(rows, columns=columns)


def _luminance(colour: str) -> float:
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def wcag_contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1..21 (WCAG 2)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture
def contrast():
    return wcag_contrast


@pytest.fixture
def make_map():
    return synthetic_map


@pytest.fixture
def frame() -> pd.DataFrame:
    return synthetic_map()


@pytest.fixture
def curves() -> pd.DataFrame:
    return synthetic_roc()


@pytest.fixture
def bins() -> pd.DataFrame:
    return synthetic_bins()


@pytest.fixture
def detectors() -> pd.DataFrame:
    return synthetic_detectors()


@pytest.fixture(params=["light", "dark"])
def theme(request) -> str:
    return request.param
