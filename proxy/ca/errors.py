"""What can be wrong with the school's CA, each as a sentence and what to do about it."""


class CaError(Exception):
    """The CA cannot be used or made; the message says what and where, ``hint`` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class CaMissing(CaError):
    """There is no CA in the directory, or a part of it is not there."""


class CaExists(CaError):
    """There is a CA in the directory already; it is never overwritten."""


class KeyLocked(CaError):
    """The root's key is encrypted, and nobody gave its passphrase."""


class WrongPassphrase(CaError):
    """Not the passphrase of the root's key."""
