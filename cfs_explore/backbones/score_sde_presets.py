"""Published configurations of Score-SDE in PyTorch (Song et al. 2021), by the names of their files."""

from __future__ import annotations

from typing import Any

_CIFAR = {"image_size": 32, "num_channels": 3, "num_scales": 1000, "sigma_min": 0.01, "sigma_max": 50.0}
_CIFAR |= {"nf": 128, "ch_mult": (1, 2, 2, 2), "attn_resolutions": (16,)}
_DDPM = _CIFAR | {"name": "ddpm", "num_res_blocks": 2}
_DDPMPP = {"name": "ncsnpp", "num_res_blocks": 4, "resblock_type": "biggan", "skip_rescale": True, "fir": False}
_DDPMPP |= _CIFAR | {"embedding_type": "positional", "progressive": "none", "progressive_input": "none"}
_NCSNPP = _DDPMPP | {"fir": True, "progressive_input": "residual"}
_DEEP = {"num_res_blocks": 8}

_FACES_256 = _NCSNPP | {"image_size": 256, "num_scales": 2000, "sigma_max": 348.0, "ch_mult": (1, 1, 2, 2, 2, 2, 2)}
_FACES_256 |= {"num_res_blocks": 2, "progressive": "output_skip", "progressive_input": "input_skip"}
_FACES_1024 = _FACES_256 | {"image_size": 1024, "sigma_max": 1348.0, "nf": 16, "num_res_blocks": 1}
_FACES_1024 |= {"ch_mult": (1, 2, 4, 8, 16, 32, 32, 32)}

_VE = {"sde": "vesde", "continuous": False, "centered": False, "scale_by_sigma": True}
_VE_CONTINUOUS = _VE | {"continuous": True, "embedding_type": "fourier"}
_VP = {
    "sde": "vpsde",
    "continuous": False,
    "centered": True,
    "scale_by_sigma": False,
    "beta_min": 0.1,
    "beta_max": 20.0,
}
_VP_CONTINUOUS = _VP | {"continuous": True}
_SUB_VP = _VP_CONTINUOUS | {"sde": "subvpsde"}

#: Fields of the configuration file by its name.
PRESETS: dict[str, dict[str, Any]] = {
    "ve/cifar10_ncsnpp": _NCSNPP | _VE,
    "ve/cifar10_ncsnpp_continuous": _NCSNPP | _VE_CONTINUOUS,
    "ve/cifar10_ncsnpp_deep_continuous": _NCSNPP | _VE_CONTINUOUS | _DEEP,
    "ve/cifar10_ddpm": _DDPM | _VE,
    "ve/celebahq_256_ncsnpp_continuous": _FACES_256 | _VE_CONTINUOUS,
    "ve/ffhq_256_ncsnpp_continuous": _FACES_256 | _VE_CONTINUOUS,
    "ve/church_ncsnpp_continuous": _FACES_256 | _VE_CONTINUOUS | {"sigma_max": 380.0},
    "ve/bedroom_ncsnpp_continuous": _FACES_256 | _VE_CONTINUOUS | {"sigma_max": 378.0},
    "ve/celebahq_ncsnpp_continuous": _FACES_1024 | _VE_CONTINUOUS,
    "ve/ffhq_ncsnpp_continuous": _FACES_1024 | _VE_CONTINUOUS,
    "vp/cifar10_ddpmpp": _DDPMPP | _VP,
    "vp/cifar10_ddpmpp_continuous": _DDPMPP | _VP_CONTINUOUS,
    "vp/cifar10_ddpmpp_deep_continuous": _DDPMPP | _VP_CONTINUOUS | _DEEP,
    "vp/cifar10_ncsnpp": _NCSNPP | _VP,
    "vp/cifar10_ncsnpp_continuous": _NCSNPP | _VP_CONTINUOUS,
    "vp/cifar10_ncsnpp_deep_continuous": _NCSNPP | _VP_CONTINUOUS | _DEEP,
    "vp/ddpm/cifar10": _DDPM | _VP,
    "vp/ddpm/cifar10_continuous": _DDPM | _VP_CONTINUOUS,
    "subvp/cifar10_ddpm_continuous": _DDPM | _SUB_VP,
    "subvp/cifar10_ddpmpp_continuous": _DDPMPP | _SUB_VP,
    "subvp/cifar10_ddpmpp_deep_continuous": _DDPMPP | _SUB_VP | _DEEP,
    "subvp/cifar10_ncsnpp_continuous": _NCSNPP | _SUB_VP,
    "subvp/cifar10_ncsnpp_deep_continuous": _NCSNPP | _SUB_VP | _DEEP,
}
