"""The project's exceptions. Each message says what was wrong, where, what is allowed, and what to do."""


class CFSError(Exception):
    """Base of every error that a user can cause and mend."""


class SpecError(CFSError):
    """A run description has an unknown field, a wrong type or an impossible value."""


class ImageError(CFSError):
    """One image cannot be used; the run goes on without it."""


class SettingsError(CFSError):
    """An environment variable of the installation has an impossible value."""


class ServerError(CFSError):
    """The app cannot listen at the address and port that it was given."""


class FetchError(CFSError):
    """Something may not be fetched, is too large for that, or is out of reach."""


class SourceError(CFSError):
    """A whole image source (folder, zip, table, array) cannot be used."""


class OutputError(CFSError):
    """A file or folder that a command is to write cannot be written."""


class BackboneError(CFSError):
    """A path or id is not a backbone that this project can load, or the data does not fit it."""


class LevelError(CFSError):
    """A noise level is not a number, or is outside every backbone's reach."""


class TapError(CFSError):
    """A tap does not exist in the backbone, or did not fire during the forward pass."""


class RunError(CFSError):
    """A run directory is missing, incomplete or inconsistent."""


class DamageError(RunError):
    """A file of a run directory is missing, cut short or another one; the message says how to get it back."""


class FolderError(RunError):
    """The folder of a run is gone, full or takes nothing: no fault of the data, so that it may be tried again."""


class RunCancelled(CFSError):  # noqa: N818 - it is a wish, not an error
    """The user asked for the run to stop; what is finished is kept and the run can be resumed."""
