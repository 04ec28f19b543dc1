"""DiT (Peebles and Xie 2023): a transformer whose norms are set by time and class, under its parameter names."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from cfs_explore.backbones.nets.openai_unet import timestep_embedding
from cfs_explore.backbones.nets.uvit import Attention, Mlp, PatchEmbed, assemble

#: Width of the embedding of the time before its perceptron.
_FREQUENCIES = 256
_EPS = 1e-6


@dataclass(frozen=True)
class Architecture:
    """What decides the network.

    Attributes:
        input_size, patch_size, in_channels: side and channels of the latents, and side of a token's patch.
        out_channels: with the learned variances, if any.
        hidden_size, depth, num_heads: width, number of blocks, attention heads.
        hidden_dim: of the blocks' perceptrons.
        label_rows: rows of the table of classes, the null class included.
    """

    input_size: int
    patch_size: int
    in_channels: int
    out_channels: int
    hidden_size: int
    depth: int
    num_heads: int
    hidden_dim: int
    label_rows: int


class DiT(nn.Module):
    """Predicts the noise of a latent, and its variances where those are learned."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        width, patch = architecture.hidden_size, architecture.patch_size
        self.x_embedder = PatchEmbed(architecture.in_channels, width, patch)
        positions = position_embedding(architecture.input_size // patch, width)
        self.pos_embed = nn.Parameter(positions, requires_grad=False)
        self.t_embedder = TimeEmbedder(width)
        self.y_embedder = LabelEmbedder(architecture.label_rows, width)
        self.blocks = nn.ModuleList([Block(architecture) for _ in range(architecture.depth)])
        self.final_layer = FinalLayer(width, patch**2 * architecture.out_channels)

    def forward(self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Latents (B, C, H, W), steps (B,) and classes (B,) -> (B, out_channels, H, W)."""
        condition = functional.silu(self.t_embedder(t) + self.y_embedder(y))  # every modulation begins with it
        tokens = self.x_embedder(x) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens, condition)
        return assemble(self.final_layer(tokens, condition), self.architecture.patch_size)


def position_embedding(side: int, width: int) -> torch.Tensor:
    """Of ``side`` x ``side`` patches, row by row, (1, tokens, width): half of it for the column, half for the row.

    Each half holds sines, then cosines, of the position at frequencies from 1 towards 1 / 10000.
    """
    quarter = width // 4
    frequencies = 10000.0 ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    angles = torch.arange(side, dtype=torch.float64)[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)  # (position, width / 2)
    columns, rows = waves.repeat(side, 1), waves.repeat_interleave(side, dim=0)
    return torch.cat([columns, rows], dim=1)[None].float()


class TimeEmbedder(nn.Module):
    """Steps (B,) -> (B, width)."""

    def __init__(self, width: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(_FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        return self.mlp(timestep_embedding(t, _FREQUENCIES))


class LabelEmbedder(nn.Module):
    """Classes (B,) -> (B, width)."""

    def __init__(self, rows: int, width: int):
        super().__init__()
        self.embedding_table = nn.Embedding(rows, width)

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        return self.embedding_table(y)


class Block(nn.Module):
    """Attention and a perceptron; the condition shifts and scales their inputs and gates their outputs."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        width = architecture.hidden_size
        self.attn = Attention(width, architecture.num_heads, qkv_bias=True)
        self.mlp = Mlp(width, architecture.hidden_dim, approximate="tanh")
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Tokens (B, tokens, width) and the condition after SiLU (B, width)."""
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = self.adaLN_modulation[1](condition)[:, None].chunk(6, 2)
        x = torch.addcmul(x, gate_1, self.attn(modulate(x, shift_1, scale_1)))
        return torch.addcmul(x, gate_2, self.mlp(modulate(x, shift_2, scale_2)))


class FinalLayer(nn.Module):
    """Tokens (B, tokens, width) -> patches (B, tokens, out)."""

    def __init__(self, width: int, out: int):
        super().__init__()
        self.linear = nn.Linear(width, out)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        shift, scale = self.adaLN_modulation[1](condition)[:, None].chunk(2, 2)
        return self.linear(modulate(x, shift, scale))


def modulate(x: torch.Tensor, shift: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Tokens after a norm without weights, shifted and scaled; all (B, 1 | tokens, width)."""
    return torch.addcmul(shift, functional.layer_norm(x, x.shape[-1:], eps=_EPS), 1 + scale)
