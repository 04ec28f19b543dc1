"""DDPM++ and NCSN++ (Song et al. 2021), in the parameter naming of EDM's ``SongUNet``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from cfs_explore.backbones.nets.edm_layers import (
    ResampledConv,
    UNetBlock,
    conv,
    group_norm,
    positional_frequencies,
    residual_mean,
)


class PositionalEmbedding(nn.Module):
    """Sines, then cosines, of fixed geometric frequencies."""

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        phase = torch.outer(noise, positional_frequencies(self.channels // 2, noise.device, endpoint=True))
        return torch.cat([phase.sin(), phase.cos()], dim=1)


class FourierEmbedding(nn.Module):
    """Sines, then cosines, of random frequencies that are part of the checkpoint."""

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("freqs", torch.randn(channels // 2) * 16)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        phase = torch.outer(noise, 2 * math.pi * self.freqs)
        return torch.cat([phase.sin(), phase.cos()], dim=1)


class SongUNet(nn.Module):
    """U-Net of Score-SDE: DDPM++ (positional, standard) or NCSN++ (fourier, residual or skip, filter 1 3 3 1).

    Args:
        img_resolution: side of the image.
        in_channels, out_channels: of the image and of the output.
        label_dim: number of classes; 0 without.
        augment_dim: size of the augmentation labels, which are zero outside training; 0 without.
        model_channels: channels at multiplier 1.
        channel_mult: multiplier of each resolution, from the highest.
        channel_mult_emb, channel_mult_noise: multipliers of the embeddings.
        num_blocks: residual blocks per resolution in the encoder; the decoder has one more.
        attn_resolutions: sides with self-attention.
        dropout: probability, in training.
        label_dropout: of the classes, in training; nothing to do with a frozen network.
        embedding_type: "positional" or "fourier".
        encoder_type: "standard"; "skip" or "residual" feed the downsampled image in at each resolution.
        decoder_type: "standard"; "skip" adds up images of each resolution.
        resample_filter: taps of the low-pass filter.
    """

    def __init__(
        self,
        img_resolution: int,
        in_channels: int,
        out_channels: int,
        label_dim: int = 0,
        augment_dim: int = 0,
        model_channels: int = 128,
        channel_mult: Sequence[int] = (1, 2, 2, 2),
        channel_mult_emb: int = 4,
        num_blocks: int = 4,
        attn_resolutions: Sequence[int] = (16,),
        dropout: float = 0.10,
        label_dropout: float = 0.0,
        embedding_type: str = "positional",
        channel_mult_noise: int = 1,
        encoder_type: str = "standard",
        decoder_type: str = "standard",
        resample_filter: Sequence[float] = (1, 1),
    ):
        super().__init__()
        emb, noise, taps = model_channels * channel_mult_emb, model_channels * channel_mult_noise, resample_filter
        embedding = FourierEmbedding if embedding_type == "fourier" else PositionalEmbedding

        self.map_noise = embedding(noise)
        self.map_label = nn.Linear(label_dim, noise) if label_dim else None
        self.map_augment = nn.Linear(augment_dim, noise, bias=False) if augment_dim else None
        self.map_layer0 = nn.Linear(noise, emb)
        self.map_layer1 = nn.Linear(emb, emb)

        def block(cin: int, cout: int, direction: str | None = None, attention: bool = False) -> UNetBlock:
            return UNetBlock(
                cin,
                cout,
                emb,
                direction=direction,
                heads=int(attention),
                skip_scale=math.sqrt(0.5),
                eps=1e-6,
                taps=taps,
                project=True,
                adaptive=False,
                dropout=dropout,
            )

        widths = [model_channels * mult for mult in channel_mult]
        sides = [img_resolution >> level for level in range(len(widths))]

        self.enc = nn.ModuleDict({f"{sides[0]}x{sides[0]}_conv": conv(in_channels, model_channels, 3)})
        width, aux, skips = model_channels, in_channels, [model_channels]
        for level, (side, wider) in enumerate(zip(sides, widths, strict=True)):
            at = f"{side}x{side}"
            if level:
                self.enc[f"{at}_down"] = block(width, width, "down")
                skips.append(width)
            if level and encoder_type == "skip":
                self.enc[f"{at}_aux_down"] = conv(aux, aux, 0, "down", taps)
                self.enc[f"{at}_aux_skip"] = conv(aux, width, 1)
            if level and encoder_type == "residual":
                self.enc[f"{at}_aux_residual"] = ResampledConv(aux, width, 3, "down", taps, fused=True)
                aux = width
            for index in range(num_blocks):
                self.enc[f"{at}_block{index}"] = block(width, wider, attention=side in attn_resolutions)
                width = wider
                skips.append(width)

        self.dec = nn.ModuleDict()
        for level, (side, wider) in reversed(list(enumerate(zip(sides, widths, strict=True)))):
            at, lowest = f"{side}x{side}", level == len(sides) - 1
            if lowest:
                self.dec[f"{at}_in0"] = block(width, width, attention=True)
                self.dec[f"{at}_in1"] = block(width, width)
            else:
                self.dec[f"{at}_up"] = block(width, width, "up")
            for index in range(num_blocks + 1):
                attention = index == num_blocks and side in attn_resolutions
                self.dec[f"{at}_block{index}"] = block(width + skips.pop(), wider, attention=attention)
                width = wider
            if decoder_type == "skip" and not lowest:
                self.dec[f"{at}_aux_up"] = conv(out_channels, out_channels, 0, "up", taps)
            if decoder_type == "skip" or level == 0:
                self.dec[f"{at}_aux_norm"] = group_norm(width, 1e-6)
                self.dec[f"{at}_aux_conv"] = conv(width, out_channels, 3)

    def forward(self, x: torch.Tensor, noise: torch.Tensor, class_labels: torch.Tensor | None = None) -> torch.Tensor:
        """Args: x (B, C, H, W); noise (B,), what the embedding takes; class_labels (B or 1, label_dim), one-hot."""
        emb = self.map_noise(noise)
        if self.map_label is not None:
            emb = emb + self.map_label(class_labels * math.sqrt(self.map_label.in_features))
        emb = functional.silu(self.map_layer1(functional.silu(self.map_layer0(emb))))
        x, skips = self._encode(x, emb)
        return self._decode(x, skips, emb)

    def _encode(self, x: torch.Tensor, emb: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        aux, skips = x, []
        for name, layer in self.enc.items():
            if name.endswith("_aux_down"):
                aux = layer(aux)
            elif name.endswith("_aux_skip"):
                x = skips[-1] = x + layer(aux)
            elif name.endswith("_aux_residual"):
                x = aux = skips[-1] = residual_mean(x, layer(aux))
            else:
                x = layer(x, emb) if isinstance(layer, UNetBlock) else layer(x)
                skips.append(x)
        return x, skips

    def _decode(self, x: torch.Tensor, skips: list[torch.Tensor], emb: torch.Tensor) -> torch.Tensor:
        image = normed = None
        for name, layer in self.dec.items():
            if name.endswith("_aux_up"):
                image = layer(image)
            elif name.endswith("_aux_norm"):
                normed = layer(x)
            elif name.endswith("_aux_conv"):
                added = layer(functional.silu(normed))
                image = added if image is None else image + added
            else:
                x = layer(torch.cat([x, skips.pop()], dim=1) if "_block" in name else x, emb)
        return image
