"""What can go wrong in this room; each message says what to do."""

from cfs_explore.errors import CFSError


class EmbeddingError(CFSError):
    """Images cannot be placed: too few, snapshots that are not finite numbers, or settings that do not exist."""
