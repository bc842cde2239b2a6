"""What can be wrong with the school's CA, each as a sentence and what to do about it."""


class CaError(Exception):
    """The CA cannot be used or made; the message says what and where, ``hint`` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class CaMissing(CaError):
    """There is no CA in the directory."""


class CaExists(CaError):
    """There is a CA in the directory already; it is never overwritten."""
