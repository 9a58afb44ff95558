"""Why a change is refused; each message says what to do."""


class ChangeError(Exception):
    """A change breaks a rule; the commit that it was to be part of is left without it."""


class UnknownError(ChangeError):
    """What the change speaks of does not exist."""


class ConflictError(ChangeError):
    """The change contradicts what is there: a name taken, another domain, the last admin."""


class ForeignError(ConflictError):
    """What the change speaks of belongs to another domain.

    Attributes:
        unknown: what is told of it to whoever is in one domain: word for word what would be told if it were not there.
    """

    def __init__(self, message: str, unknown: str) -> None:
        super().__init__(message)
        self.unknown = unknown


class InvalidError(ChangeError):
    """A value has a form or size that is not allowed."""


class CycleError(ChangeError):
    """An object would come to stand within itself."""


class BusyError(ChangeError):
    """Another request is changing the object; try again when it is settled."""
