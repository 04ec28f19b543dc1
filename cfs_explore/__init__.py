"""CFS Explore: where in a diffusion model does the out-of-distribution signal live?"""
