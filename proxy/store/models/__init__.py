"""The store's tables. The rules they can hold themselves are constraints, so that no code above can break them."""

from proxy.store.base import Base
from proxy.store.models.generation import Generation
from proxy.store.models.grants import AccessRequestRow, AuthorisationRow, WaitingChange
from proxy.store.models.people import Device, DeviceAddress, FailedSignIn, Group, Membership, Person, SignIn
from proxy.store.models.record import AttemptRow, JournalPosition, LedgerPersonal, LedgerRow, OpenAttempt

METADATA = Base.metadata  # complete once every table is imported

__all__ = [
    "METADATA",
    "AccessRequestRow",
    "AttemptRow",
    "AuthorisationRow",
    "Device",
    "DeviceAddress",
    "FailedSignIn",
    "Generation",
    "Group",
    "JournalPosition",
    "LedgerPersonal",
    "LedgerRow",
    "Membership",
    "OpenAttempt",
    "Person",
    "SignIn",
    "WaitingChange",
]
