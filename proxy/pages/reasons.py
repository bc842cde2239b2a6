"""What a person can do about each reason. The words for it, and for the reason itself, are the language's."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from policies.vocabulary import Reason


class Remedy(StrEnum):
    """What helps, beside asking for an authorisation, which is the school's own advice."""

    AFTER_THE_LESSON = "after_the_lesson"
    MISTAKEN = "mistaken"
    TELL = "tell"
    AGAIN = "again"
    CREDENTIALS = "credentials"


REMEDIES: Mapping[Reason, Remedy] = MappingProxyType(
    {
        Reason.INTERNAL: Remedy.TELL,
        Reason.IN_LESSON: Remedy.AFTER_THE_LESSON,
        Reason.LOCKED: Remedy.MISTAKEN,
        Reason.NO_SERVER_NAME: Remedy.TELL,
        Reason.NOT_TLS: Remedy.TELL,
        Reason.NAME_MISMATCH: Remedy.TELL,
        Reason.ADDRESS_LITERAL: Remedy.TELL,
        Reason.PORT_NOT_ALLOWED: Remedy.TELL,
        Reason.BAD_CREDENTIALS: Remedy.CREDENTIALS,
        Reason.MALFORMED: Remedy.TELL,
        Reason.TOO_BUSY: Remedy.AGAIN,
        Reason.NOT_RECORDABLE: Remedy.AGAIN,
        Reason.NO_SNAPSHOT: Remedy.AGAIN,
        Reason.INTERNAL_ERROR: Remedy.AGAIN,
    }
)
# For these an authorisation helps, so the page gives the school's advice.
AUTHORISABLE = frozenset({Reason.NOT_AUTHORISED, Reason.AUTHORISATION_ENDED, Reason.AUTHORISATION_REVOKED})
FAULTS = frozenset({Reason.TOO_BUSY, Reason.NO_SNAPSHOT, Reason.INTERNAL_ERROR})  # not the policy's doing
