"""A run in its own process: start it, watch it, cancel it, start it again. Files in the run directory are the link.

status.json   state, stage, done, total, rate, eta, error, place in the queue; replaced about twice a second
cancel        its presence asks the worker to stop
keep          its presence asks the worker to stop measuring and make an exploration of what there is
log.txt       what the worker printed
worker.lock   held by the worker; start.lock by whoever starts or deletes it, and by the worker while it begins
"""

from cfs_explore.jobs.control import cancel, create, create_at, delete, is_kept, keep, log_tail, prepare, recover, start
from cfs_explore.jobs.helpers import AUTO
from cfs_explore.jobs.machine import cores
from cfs_explore.jobs.room import check_room
from cfs_explore.jobs.status import FINAL, Status, is_alive, is_held, read_status
from cfs_explore.jobs.worker import seal, work
from cfs_explore.locations import disk_used

__all__ = [
    "AUTO",
    "FINAL",
    "Status",
    "cancel",
    "check_room",
    "cores",
    "create",
    "create_at",
    "delete",
    "disk_used",
    "is_alive",
    "is_held",
    "is_kept",
    "keep",
    "log_tail",
    "prepare",
    "read_status",
    "recover",
    "seal",
    "start",
    "work",
]
