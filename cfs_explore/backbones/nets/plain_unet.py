"""The UNet of DDPM (Ho et al. 2020) as diffusers' ``UNet2DModel`` holds it, under that one's parameter names.

diffusers itself takes longer to import than torch, because every network brings all of its transformers along; a run
and the probe would wait for it each time. Options that ``plain_unet_config`` does not know are left to diffusers
(``unet2d``).
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from cfs_explore.backbones.nets.plain_unet_config import DOWN, UP, Architecture


class PlainUNet(nn.Module):
    """Frozen: predicts the noise of x_t, or what else it was trained for."""

    def __init__(self, kind: Architecture):
        super().__init__()
        self.config = kind
        widths, first, last = kind.block_out_channels, kind.block_out_channels[0], kind.block_out_channels[-1]
        self.conv_in = nn.Conv2d(kind.in_channels, first, 3, padding=1)
        self.time_embedding = TimeEmbedding(first, kind.width)
        self.class_embedding = nn.Embedding(kind.num_class_embeds, kind.width) if kind.num_class_embeds else None
        before, finest = (first, *widths), len(widths) - 1
        self.down_blocks = nn.ModuleList(
            DownBlock(kind, before[i], widths[i], attends=DOWN[name], halves=i < finest)
            for i, name in enumerate(kind.down_block_types)
        )
        self.mid_block = MidBlock(kind, last)
        after = (last, *reversed(widths))
        self.up_blocks = nn.ModuleList(
            UpBlock(kind, after[i], after[i + 1], after[min(i + 2, finest + 1)], attends=UP[name], doubles=i < finest)
            for i, name in enumerate(kind.up_block_types)
        )
        self.conv_norm_out = nn.GroupNorm(kind.norm_num_groups, first, eps=kind.norm_eps)
        self.conv_act = nn.SiLU()
        self.conv_out = nn.Conv2d(first, kind.out_channels, 3, padding=1)

    def forward(self, x: torch.Tensor, t: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """x (B, C, H, W), timesteps or another conditioning (B,), and classes (B,) -> (B, out_channels, H, W)."""
        kind = self.config
        if kind.center_input_sample:
            x = 2 * x - 1.0
        frequencies = time_frequencies(t, kind.block_out_channels[0], kind.freq_shift, kind.flip_sin_to_cos)
        emb = self.time_embedding(frequencies.to(self.conv_in.weight.dtype))
        if self.class_embedding is not None:
            emb = emb + self.class_embedding(labels)
        x = self.conv_in(x)
        skips = [x]
        for block in self.down_blocks:
            x, kept = block(x, emb)
            skips += kept
        x = self.mid_block(x, emb)
        for block in self.up_blocks:
            x = block(x, skips, emb)
        return self.conv_out(self.conv_act(self.conv_norm_out(x)))


def time_frequencies(t: torch.Tensor, width: int, shift: float, cosines_first: bool) -> torch.Tensor:
    """(B,) -> (B, width): sines and cosines of t at frequencies from 1 down; zero in an odd last place."""
    half = width // 2
    exponents = -math.log(10000) * torch.arange(half, dtype=torch.float32, device=t.device) / (half - shift)
    angles = t[:, None].float() * torch.exp(exponents)
    waves = (angles.cos(), angles.sin()) if cosines_first else (angles.sin(), angles.cos())
    return functional.pad(torch.cat(waves, dim=-1), (0, width % 2))


class TimeEmbedding(nn.Module):
    """Two linear layers."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.linear_1 = nn.Linear(channels, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear_2(functional.silu(self.linear_1(x)))


class Resnet(nn.Module):
    """Two convolutions around the embedding, with a shortcut."""

    def __init__(self, kind: Architecture, channels: int, out_channels: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(kind.norm_num_groups, channels, eps=kind.norm_eps)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.time_emb_proj = nn.Linear(kind.width, out_channels)
        self.norm2 = nn.GroupNorm(kind.norm_num_groups, out_channels, eps=kind.norm_eps)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(channels, out_channels, 1) if channels != out_channels else nn.Identity()

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        """x (B, C, H, W) and the embedding (B, width)."""
        h = self.conv1(functional.silu(self.norm1(x)))
        h = h + self.time_emb_proj(functional.silu(emb))[:, :, None, None]
        h = self.conv2(functional.silu(self.norm2(h)))
        return self.conv_shortcut(x) + h


class Attention(nn.Module):
    """Self-attention over all positions, added to its input."""

    def __init__(self, kind: Architecture, channels: int):
        super().__init__()
        head = kind.attention_head_dim or channels
        self.heads = channels // head
        inner = self.heads * head
        self.group_norm = nn.GroupNorm(kind.norm_num_groups, channels, eps=kind.norm_eps)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, inner) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(inner, channels)])  # its dropout is left out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        tokens = self.group_norm(x.flatten(2)).transpose(1, 2)  # (image, position, channel)
        q, k, v = (
            layer(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.to_q, self.to_k, self.to_v)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.to_out[0](mixed).transpose(1, 2).reshape(x.shape) + x


class Downsample(nn.Module):
    """Half the resolution, by a convolution with stride."""

    def __init__(self, channels: int, padding: int):
        super().__init__()
        self.padding = padding
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=padding)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(functional.pad(x, (0, 1, 0, 1)) if self.padding == 0 else x)


class Upsample(nn.Module):
    """Double the resolution, by repetition, followed by a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) >= 64:
            x = x.contiguous()  # as diffusers does, so that no bit differs
        return self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))


class DownBlock(nn.Module):
    """Residual blocks of one resolution, each followed by attention if it ``attends``, and its halving."""

    def __init__(self, kind: Architecture, channels: int, out_channels: int, *, attends: bool, halves: bool):
        super().__init__()
        resnets, attentions = [], []
        for i in range(kind.layers_per_block):
            resnets.append(Resnet(kind, channels if i == 0 else out_channels, out_channels))
            attentions.append(Attention(kind, out_channels) if attends else nn.Identity())
        self.resnets = nn.ModuleList(resnets)
        self.attentions = nn.ModuleList(attentions if attends else [])
        self.downsamplers = nn.ModuleList([Downsample(out_channels, kind.downsample_padding)] if halves else [])

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The output, and what is kept for the decoder."""
        kept = []
        for i, resnet in enumerate(self.resnets):
            x = resnet(x, emb)
            if self.attentions:
                x = self.attentions[i](x)
            kept.append(x)
        for downsampler in self.downsamplers:
            x = downsampler(x)
            kept.append(x)
        return x, kept


class MidBlock(nn.Module):
    """Residual block, attention, residual block."""

    def __init__(self, kind: Architecture, channels: int):
        super().__init__()
        first = Resnet(kind, channels, channels)
        self.attentions = nn.ModuleList([Attention(kind, channels)] if kind.add_attention else [])
        self.resnets = nn.ModuleList([first, Resnet(kind, channels, channels)])

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        x = self.resnets[0](x, emb)
        for attention in self.attentions:
            x = attention(x)
        return self.resnets[1](x, emb)


class UpBlock(nn.Module):
    """Residual blocks of one resolution, each with a skip from the encoder, attention, and its doubling.

    Args:
        kind: the architecture.
        channels, out_channels: before and after.
        kept: channels of the last skip that it takes.
        attends, doubles: whether it has attention, and changes the resolution.
    """

    def __init__(
        self, kind: Architecture, channels: int, out_channels: int, kept: int, *, attends: bool, doubles: bool
    ):
        super().__init__()
        resnets, attentions, last = [], [], kind.layers_per_block
        for i in range(last + 1):
            channels_in = (channels if i == 0 else out_channels) + (kept if i == last else out_channels)
            resnets.append(Resnet(kind, channels_in, out_channels))
            attentions.append(Attention(kind, out_channels) if attends else nn.Identity())
        self.resnets = nn.ModuleList(resnets)
        self.attentions = nn.ModuleList(attentions if attends else [])
        self.upsamplers = nn.ModuleList([Upsample(out_channels)] if doubles else [])

    def forward(self, x: torch.Tensor, skips: list[torch.Tensor], emb: torch.Tensor) -> torch.Tensor:
        """Takes its skips off the end of ``skips``."""
        for i, resnet in enumerate(self.resnets):
            x = resnet(torch.cat([x, skips.pop()], dim=1), emb)
            if self.attentions:
                x = self.attentions[i](x)
        for upsampler in self.upsamplers:
            x = upsampler(x)
        return x
