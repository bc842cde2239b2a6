"""What a service answers when it will not do what it was asked: a stable code, a sentence, a hint.

``exit_code`` is the command's (DESIGN section 7): 1 failed or refused by policy, 2 wrong use, 3 not permitted.
"""

from typing import ClassVar


class ServiceError(Exception):
    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class NotPermitted(ServiceError):
    """Whoever asks may not do this, or did not show who they are."""

    exit_code = 3


class Refused(ServiceError):
    """The school's policy does not allow it, whoever asks."""


class UnknownName(ServiceError):
    """It names something that is not there."""


class Conflict(ServiceError):
    """It does not fit with what is already there."""


class BadInput(ServiceError):
    """A value cannot be what was meant."""

    exit_code = 2
