"""A run in its own process: start it, watch it, cancel it, start it again. Files in the run directory are the link.

status.json   state, stage, done, total, rate, eta, error, place in the queue; replaced about twice a second
cancel        its presence asks the worker to stop
log.txt       what the worker printed
worker.lock   held by the worker; start.lock by whoever starts or deletes it
"""

from cfs_explore.jobs.control import cancel, create, create_at, delete, log_tail, recover, start
from cfs_explore.jobs.room import check_room, disk_used
from cfs_explore.jobs.status import FINAL, Status, is_alive, read_status
from cfs_explore.jobs.worker import work

__all__ = [
    "FINAL",
    "Status",
    "cancel",
    "check_room",
    "create",
    "create_at",
    "delete",
    "disk_used",
    "is_alive",
    "log_tail",
    "read_status",
    "recover",
    "start",
    "work",
]
