"""Pieces of work that several workers share through a folder: leases, results, and who is there.

It knows nothing of what a piece computes: pieces have names, and results are named arrays.
"""

from cfs_explore.engine.crew import Crew, clear
from cfs_explore.engine.leases import Leases
from cfs_explore.engine.ray_crew import ray_actors

__all__ = ["Crew", "Leases", "clear", "ray_actors"]
