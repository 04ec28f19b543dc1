"""NCSN++, DDPM++ and DDPM in the parameter naming of Score-SDE (Song et al. 2021, appendix H)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import silu

from cfs_explore.backbones.nets.edm_layers import residual_mean
from cfs_explore.backbones.nets.ncsnpp_layers import (
    AttnBlock,
    Combine,
    Downsample,
    FilteredDownsample,
    GaussianFourierProjection,
    ResnetBlock,
    Style,
    Upsample,
    double,
    halve,
    positional,
)


@dataclass(frozen=True)
class Architecture:
    """A network, by the field names of the original configuration files.

    Attributes:
        name: "ncsnpp", or "ddpm" with 32 groups in every normalisation.
        num_channels: of the image.
        nf: channels at multiplier 1.
        ch_mult: multiplier of each resolution, from the highest.
        num_res_blocks: residual blocks per resolution in the encoder; the decoder has one more.
        attention: positions in ``ch_mult`` of the resolutions with self-attention.
        resblock_type: "biggan" resamples inside residual blocks, "ddpm" in convolutions between them.
        embedding_type: "fourier", of the logarithm of its conditioning, or "positional".
        progressive: "none"; "output_skip" adds up images of each resolution.
        progressive_input: "none"; "input_skip" and "residual" feed the downsampled image in at each resolution.
        fir: resample with the filter 1 3 3 1, rather than by mean and repetition.
        skip_rescale: residual sums are divided by sqrt(2).
        centered: images are in [-1, 1], rather than in [0, 1] and centred inside.
        scale_by_sigma: the output is divided by sigma.
    """

    name: str
    num_channels: int
    nf: int
    ch_mult: tuple[int, ...]
    num_res_blocks: int
    attention: tuple[int, ...]
    resblock_type: str
    embedding_type: str
    progressive: str
    progressive_input: str
    fir: bool
    skip_rescale: bool
    centered: bool
    scale_by_sigma: bool


class NCSNpp(nn.Module):
    """U-Net of Score-SDE as one list of layers, ``all_modules``, in execution order.

    Args:
        architecture: what it is made of.
        sigmas: noise levels from the highest, (N,); a positional network with ``scale_by_sigma`` takes their index.

    Attributes:
        plan: (region, role) of each layer.
    """

    def __init__(self, architecture: Architecture, sigmas: torch.Tensor):
        super().__init__()
        self.architecture = architecture
        self.register_buffer("sigmas", sigmas)
        self.all_modules = nn.ModuleList()
        self.plan: list[tuple[str, str]] = []
        widths = [architecture.nf * mult for mult in architecture.ch_mult]
        self._append_input()
        self._append_decoder(widths, self._append_encoder(widths))

    def _style(self) -> Style:
        net = self.architecture
        groups = 32 if net.name == "ddpm" else None
        return Style(4 * net.nf, net.resblock_type == "biggan", net.fir, net.skip_rescale, groups)

    def _append(self, region: str, role: str, layer: nn.Module) -> None:
        self.plan.append((region, role))
        self.all_modules.append(layer)

    def _append_input(self) -> None:
        nf, fourier = self.architecture.nf, self.architecture.embedding_type == "fourier"
        if fourier:
            self._append("embedding", "fourier", GaussianFourierProjection(nf))
        self._append("embedding", "first", nn.Linear(2 * nf if fourier else nf, 4 * nf))
        self._append("embedding", "second", nn.Linear(4 * nf, 4 * nf))
        self._append("input", "conv", nn.Conv2d(self.architecture.num_channels, nf, 3, padding=1))

    def _append_encoder(self, widths: list[int]) -> list[int]:
        """Append encoder and middle; gives the channels of the features that the decoder takes in again."""
        net, style = self.architecture, self._style()
        width, image, skips = net.nf, net.num_channels, [net.nf]
        for level, wider in enumerate(widths):
            for _ in range(net.num_res_blocks):
                self._append("encoder", "resnet", ResnetBlock(style, width, wider))
                width = wider
                skips.append(width)
                if level in net.attention:
                    self._append("encoder", "attention", AttnBlock(style, width))
            if level == len(widths) - 1:
                break
            if style.biggan:
                self._append("encoder", "down", ResnetBlock(style, width, width, "down"))
            else:
                self._append("encoder", "down conv", Downsample(width, width))
            skips.append(width)
            if net.progressive_input == "input_skip":
                self._append("encoder", "combine", Combine(image, width))
            elif net.progressive_input == "residual":
                self._append("encoder", "residual", (FilteredDownsample if net.fir else Downsample)(image, width))
                image = width
        self._append("middle", "resnet", ResnetBlock(style, width, width))
        self._append("middle", "attention", AttnBlock(style, width))
        self._append("middle", "resnet", ResnetBlock(style, width, width))
        return skips

    def _append_decoder(self, widths: list[int], skips: list[int]) -> None:
        net, style = self.architecture, self._style()
        width = widths[-1]
        for level, wider in reversed(list(enumerate(widths))):
            for _ in range(net.num_res_blocks + 1):
                self._append("decoder", "resnet", ResnetBlock(style, width + skips.pop(), wider))
                width = wider
            if level in net.attention:
                self._append("decoder", "attention", AttnBlock(style, width))
            if net.progressive == "output_skip" or level == 0:
                self._append("output", "norm", style.norm(width))
                self._append("output", "conv", nn.Conv2d(width, net.num_channels, 3, padding=1))
            if level and style.biggan:
                self._append("decoder", "up", ResnetBlock(style, width, width, "up"))
            elif level:
                self._append("decoder", "up conv", Upsample(width))

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Args: x (B, C, H, W); t (B,), sigma, the time or the index of the level."""
        net = self.architecture
        h = pyramid = x if net.centered else 2.0 * x - 1.0
        emb = positional(t, net.nf) if net.embedding_type == "positional" else t.log()
        skips, image = [], None
        for step, layer in zip(self.plan, self.all_modules, strict=True):
            match step:
                case "embedding", "second":
                    emb = silu(layer(silu(emb)))
                case "embedding", _:
                    emb = layer(emb)
                case "encoder" | "middle", "resnet" | "down":
                    h = layer(h, emb)
                case "encoder", "combine":
                    pyramid = halve(pyramid, net.fir)
                    h = layer(pyramid, h)
                case "encoder", "residual":
                    h = pyramid = residual_mean(layer(pyramid), h) if net.skip_rescale else layer(pyramid) + h
                case "decoder", "resnet":
                    h = layer(torch.cat([h, skips.pop()], dim=1), emb)
                case "decoder", "up":
                    h = layer(h, emb)
                case "output", "norm":
                    normed = silu(layer(h))
                case "output", "conv":
                    image = layer(normed) if image is None else double(image, net.fir) + layer(normed)
                case _:
                    h = layer(h)
            if step[0] in ("input", "encoder"):
                if step[1] in ("attention", "combine", "residual"):
                    skips.pop()
                skips.append(h)
        if not net.scale_by_sigma:
            return image
        return image / (t if net.embedding_type == "fourier" else self.sigmas[t.long()]).view(-1, 1, 1, 1)
