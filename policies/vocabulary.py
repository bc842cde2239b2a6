"""The words that the page, the record, the metrics, the commands and the dashboards all speak.

They are stored and published: a word is never renamed, only added.
"""

from enum import StrEnum


class Verdict(StrEnum):
    ALLOW = "allow"
    DENY = "deny"


class Reason(StrEnum):
    """Why a verdict is what it is. One reason each, the first that applied."""

    UNLISTED = "unlisted"  # in no catalogue and under no rule: passes, counted, never recorded
    EXEMPT = "exempt"  # the policy passes this host, service or destination, and says why
    INTERNAL = "internal"  # the school's own networks and names
    OBSERVED = "observed"  # would have been refused; the network is being commissioned
    OUTSIDE_LESSONS = "outside_lessons"
    AUTHORISED = "authorised"
    NOT_AUTHORISED = "not_authorised"
    AUTHORISATION_ENDED = "authorisation_ended"
    AUTHORISATION_REVOKED = "authorisation_revoked"
    IN_LESSON = "in_lesson"
    LOCKED = "locked"
    NO_SERVER_NAME = "no_server_name"
    NOT_TLS = "not_tls"
    NAME_MISMATCH = "name_mismatch"
    ADDRESS_LITERAL = "address_literal"
    PORT_NOT_ALLOWED = "port_not_allowed"
    BAD_CREDENTIALS = "bad_credentials"
    MALFORMED = "malformed"
    TOO_BUSY = "too_busy"
    NOT_RECORDABLE = "not_recordable"
    NO_SNAPSHOT = "no_snapshot"
    INTERNAL_ERROR = "internal_error"


class Outcome(StrEnum):
    """What became of an attempt after it was allowed."""

    UNRESOLVABLE = "unresolvable"
    REFUSED_DESTINATION = "refused_destination"
    UNREACHABLE = "unreachable"
    CUT = "cut"
    CLOSED = "closed"


class Kind(StrEnum):
    """Whether a person went there, or a page or an app fetched it."""

    NAVIGATION = "navigation"
    EMBEDDED = "embedded"
    BACKGROUND = "background"
    UNKNOWN = "unknown"


class Protocol(StrEnum):
    """What the first bytes of a connection are."""

    TLS = "tls"
    HTTP = "http"
    OTHER = "other"


class Role(StrEnum):
    """What a person may do in schoolgate (DESIGN section 7)."""

    SLT = "slt"
    TECHNICIAN = "technician"
    NETWORK = "network"
    STAFF = "staff"
