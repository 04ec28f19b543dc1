"""Configurations of the released iDDPM and ADM checkpoints, by file name, in the arguments of the original scripts."""

from __future__ import annotations

from typing import Any

_IMPROVED = {
    "num_heads": 4,
    "attention_resolutions": "16,8",
    "channel_mult": "",
    "learn_sigma": True,
    "class_cond": False,
    "use_scale_shift_norm": True,
    "diffusion_steps": 4000,
    "noise_schedule": "cosine",
    "rescale_timesteps": True,
}
_CIFAR10 = _IMPROVED | {"image_size": 32, "num_channels": 128, "num_res_blocks": 3}
_IMAGENET64 = _IMPROVED | {"image_size": 64, "num_channels": 128, "num_res_blocks": 3}
_LSUN = _IMPROVED | {
    "image_size": 256,
    "num_channels": 128,
    "num_res_blocks": 2,
    "num_heads": 1,
    "attention_resolutions": "16",
    "use_scale_shift_norm": False,
    "diffusion_steps": 1000,
    "noise_schedule": "linear",
    "rescale_timesteps": False,
}
_ADM = {
    "image_size": 256,
    "num_channels": 256,
    "num_res_blocks": 2,
    "num_head_channels": 64,
    "attention_resolutions": "32,16,8",
    "channel_mult": "",
    "learn_sigma": True,
    "class_cond": False,
    "use_scale_shift_norm": True,
    "resblock_updown": True,
    "use_new_attention_order": False,
    "diffusion_steps": 1000,
    "noise_schedule": "linear",
    "rescale_timesteps": False,
}

#: Family -> name of the released file -> its arguments.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "improved-diffusion": {
        "cifar10_uncond_50M_500K": _CIFAR10,
        "cifar10_uncond_vlb_50M_500K": _CIFAR10,
        "imagenet64_uncond_100M_1500K": _IMAGENET64,
        "imagenet64_uncond_vlb_100M_1500K": _IMAGENET64,
        "imagenet64_cond_270M_250K": _IMAGENET64
        | {"num_channels": 192, "class_cond": True, "rescale_timesteps": False},
        "lsun_uncond_100M_1200K_bs128": _LSUN,
        "lsun_uncond_100M_2400K_bs64": _LSUN,
    },
    "guided-diffusion": {
        "64x64_diffusion": _ADM
        | {
            "image_size": 64,
            "num_channels": 192,
            "num_res_blocks": 3,
            "class_cond": True,
            "use_new_attention_order": True,
            "noise_schedule": "cosine",
        },
        "128x128_diffusion": _ADM
        | {"image_size": 128, "class_cond": True, "num_heads": 4, "num_head_channels": -1},
        "256x256_diffusion": _ADM | {"class_cond": True},
        "256x256_diffusion_uncond": _ADM,
        "512x512_diffusion": _ADM | {"image_size": 512, "class_cond": True},
        "lsun_bedroom": _ADM,
        "lsun_cat": _ADM,
        "lsun_horse": _ADM,
        "lsun_horse_nodropout": _ADM,
    },
}  # fmt: skip

#: Family -> image size -> what an empty ``channel_mult`` stands for.
CHANNEL_MULT: dict[str, dict[int, tuple[float, ...]]] = {
    "improved-diffusion": {32: (1, 2, 2, 2), 64: (1, 2, 3, 4), 256: (1, 1, 2, 2, 4, 4)},
    "guided-diffusion": {
        64: (1, 2, 3, 4),
        128: (1, 1, 2, 3, 4),
        256: (1, 1, 2, 2, 4, 4),
        512: (0.5, 1, 1, 2, 2, 4, 4),
    },
}
