"""The families of backbones, by name: what each is and which files it comes in; ``backbones`` loads them."""

FAMILIES = {
    "unet2d": "diffusers UNet2DModel: a pipeline folder, or the network's own folder",
    "improved-diffusion": "improved-diffusion (iDDPM), a .pt file",
    "guided-diffusion": "guided-diffusion (ADM), a .pt file",
    "edm": "EDM, a .pkl snapshot or the folder converted from it",
    "score-sde": "Score-SDE in PyTorch, a .pth file",
    "u-vit": "U-ViT, a .pth file; needs `vae` where it works on latents",
    "dit": "DiT, a .pt file; needs `vae`",
    "dit-diffusers": "diffusers DiTTransformer2DModel, a folder",
    "latent-unet": "diffusers UNet2DConditionModel (Stable Diffusion), a pipeline folder",
    "flow-transformer": "diffusers SD3 or Flux transformer, a pipeline folder",
}
