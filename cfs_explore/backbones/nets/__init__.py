"""Native networks, written from the papers and the parameter names of the released checkpoints; pure torch."""
