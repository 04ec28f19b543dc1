"""``python -m cfs_explore`` is the command line."""

from cfs_explore.cli import main

main()
