"""U-ViT (Bao et al. 2023): a vision transformer with long skip connections, under its parameter names."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from cfs_explore.backbones.nets.openai_unet import timestep_embedding


@dataclass(frozen=True)
class Architecture:
    """What decides the network.

    Attributes:
        img_size, patch_size, in_chans: side and channels of what is corrupted, and side of a token's patch.
        embed_dim, num_heads: width and attention heads.
        depth: blocks beside the middle one, half of them before it and half after.
        hidden_dim: of the blocks' perceptrons.
        qkv_bias: whether queries, keys and values have a bias.
        mlp_time_embed: the embedding of the time passes a perceptron.
        num_classes: None for an unconditional network.
        conv: a convolution follows the assembly of the patches.
    """

    img_size: int
    patch_size: int
    in_chans: int
    embed_dim: int
    depth: int
    num_heads: int
    hidden_dim: int
    qkv_bias: bool
    mlp_time_embed: bool
    num_classes: int | None
    conv: bool

    @property
    def special_tokens(self) -> int:
        """Tokens before the patches': the class, where there are classes, and the time."""
        return 1 if self.num_classes is None else 2


class UViT(nn.Module):
    """Predicts the noise of x_t."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        width, patch = architecture.embed_dim, architecture.patch_size
        tokens = (architecture.img_size // patch) ** 2 + architecture.special_tokens
        self.patch_embed = PatchEmbed(architecture.in_chans, width, patch)
        self.time_embed = (
            nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, width))
            if architecture.mlp_time_embed
            else nn.Identity()
        )
        if architecture.num_classes is not None:
            self.label_emb = nn.Embedding(architecture.num_classes, width)
        positions = torch.empty(1, tokens, width)
        if not positions.is_meta:  # there, a draw would import torch's compiler, for two seconds
            positions.normal_().mul_(0.02)
        self.pos_embed = nn.Parameter(positions)
        half = architecture.depth // 2
        self.in_blocks = nn.ModuleList([Block(architecture) for _ in range(half)])
        self.mid_block = Block(architecture)
        self.out_blocks = nn.ModuleList([Block(architecture, skip=True) for _ in range(half)])
        self.norm = nn.LayerNorm(width)
        self.decoder_pred = nn.Linear(width, patch**2 * architecture.in_chans)
        chans = architecture.in_chans
        self.final_layer = nn.Conv2d(chans, chans, 3, padding=1) if architecture.conv else nn.Identity()

    def forward(self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        """x (B, C, H, W), times (B,) as scaled in training, and classes (B,) -> (B, C, H, W)."""
        special = [self.time_embed(timestep_embedding(t, self.architecture.embed_dim))]
        if self.architecture.num_classes is not None:
            special.insert(0, self.label_emb(y))
        tokens = torch.cat([*(token[:, None] for token in special), self.patch_embed(x)], dim=1) + self.pos_embed
        skips = []
        for block in self.in_blocks:
            tokens = block(tokens)
            skips.append(tokens)
        tokens = self.mid_block(tokens)
        for block in self.out_blocks:
            tokens = block(tokens, skips.pop())
        patches = self.decoder_pred(self.norm(tokens)[:, len(special) :])
        return self.final_layer(assemble(patches, self.architecture.patch_size))


class PatchEmbed(nn.Module):
    """(B, C, H, W) -> a token per patch, (B, tokens, width), row by row."""

    def __init__(self, channels: int, width: int, patch: int):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, stride=patch)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


def assemble(patches: torch.Tensor, patch: int) -> torch.Tensor:
    """(B, tokens, patch * patch * C), channels last -> (B, C, H, W)."""
    side = round(patches.shape[1] ** 0.5)
    grid = patches.unflatten(2, (patch, patch, -1)).unflatten(1, (side, side))  # (image, row, column, y, x, channel)
    return grid.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


class Block(nn.Module):
    """Attention and a perceptron, each after a norm and added; with ``skip``, an earlier block's tokens join before."""

    def __init__(self, architecture: Architecture, *, skip: bool = False):
        super().__init__()
        width = architecture.embed_dim
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, architecture.num_heads, qkv_bias=architecture.qkv_bias)
        self.mlp = Mlp(width, architecture.hidden_dim)
        self.skip_linear = nn.Linear(2 * width, width) if skip else None

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
        """Tokens (B, tokens, width)."""
        if self.skip_linear is not None:
            x = self.skip_linear(torch.cat([x, skip], dim=-1))
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Attention(nn.Module):
    """Self-attention over all tokens (B, tokens, width); queries, keys and values in turn, heads within each."""

    def __init__(self, width: int, heads: int, *, qkv_bias: bool):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two layers with a GELU between; ``approximate`` as in torch's."""

    def __init__(self, width: int, hidden: int, *, approximate: str = "none"):
        super().__init__()
        self.approximate = approximate
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(functional.gelu(self.fc1(x), approximate=self.approximate))
