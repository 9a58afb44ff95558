"""Why a change is refused; each message says what to do."""


class ChangeError(Exception):
    """A change breaks a rule; the commit that it was to be part of is left without it."""


class UnknownError(ChangeError):
    """What the change speaks of does not exist."""


class ConflictError(ChangeError):
    """The change contradicts what is there: a name taken, another domain, the last admin."""


class InvalidError(ChangeError):
    """A value has a form or size that is not allowed."""


class CycleError(ChangeError):
    """An object would come to stand within itself."""


class BusyError(ChangeError):
    """Another request is changing the object; try again when it is settled."""
