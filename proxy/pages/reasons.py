"""What each reason code says to a person, and what they can do about it. One plain sentence each, no jargon.

Written as a page says it: the site has been named just before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from policies.vocabulary import Reason

AFTER_THE_LESSON = "Try again outside lessons and structured sessions."
MISTAKEN = "If you think it is closed by mistake, ask for it to be looked at, and quote the reference."
TELL = "If you need it for your work, ask for it to be looked at, and quote the reference."
AGAIN = (
    "Wait half a minute and try again. If it goes on, tell whoever looks after the network, and quote the reference."
)
SIGN_IN = "Check the name and the password that this device gives to the proxy."
NOTHING = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence, and what helps: ``None`` is the school's own advice, in the policy's ``wording``."""

    sentence: str
    remedy: str | None = None


WORDS: Mapping[Reason, Words] = MappingProxyType(
    {
        Reason.UNLISTED: Words("It is on no list of social media, so it passes.", NOTHING),
        Reason.EXEMPT: Words("The school's policy lets it pass.", NOTHING),
        Reason.INTERNAL: Words("It is the school's own, and cannot be reached this way from here.", TELL),
        Reason.OBSERVED: Words("The policy would refuse it; it passes while the gateway is being set up.", NOTHING),
        Reason.OUTSIDE_LESSONS: Words("It is open on this network outside lessons.", NOTHING),
        Reason.AUTHORISED: Words("A member of the senior leadership team has authorised it.", NOTHING),
        Reason.NOT_AUTHORISED: Words(
            "Social media stays closed here unless a member of the senior leadership team has authorised it.",
        ),
        Reason.AUTHORISATION_ENDED: Words("The time for which it was authorised is over."),
        Reason.AUTHORISATION_REVOKED: Words("The authorisation for it has been withdrawn."),
        Reason.IN_LESSON: Words(
            "Social media is closed on this network during lessons and other structured sessions.",
            AFTER_THE_LESSON,
        ),
        Reason.LOCKED: Words(
            "The school keeps this kind of site closed for everybody, and no authorisation opens it.",
            MISTAKEN,
        ),
        Reason.NO_SERVER_NAME: Words(
            "The connection did not say which site it was for, so it could not be let through.",
            TELL,
        ),
        Reason.NOT_TLS: Words(
            "The connection was not of a kind that web browsers make, so it could not be let through.",
            TELL,
        ),
        Reason.NAME_MISMATCH: Words("The connection asked for one site and then named another.", TELL),
        Reason.ADDRESS_LITERAL: Words("Sites are reached by their names here, not by a number.", TELL),
        Reason.PORT_NOT_ALLOWED: Words("The connection asked for a port that the school keeps closed.", TELL),
        Reason.BAD_CREDENTIALS: Words("The name or the password given to the proxy is not right.", SIGN_IN),
        Reason.MALFORMED: Words(
            "The request does not follow the rules of the web, so it could not be let through.",
            TELL,
        ),
        Reason.TOO_BUSY: Words("The school's gateway has more to do than it can manage just now.", AGAIN),
        Reason.NOT_RECORDABLE: Words(
            "It is authorised, but the school's gateway cannot record it just now, and opens nothing it cannot record.",
            AGAIN,
        ),
        Reason.NO_SNAPSHOT: Words(
            "The school's gateway does not have the policy yet, and opens nothing without it.",
            AGAIN,
        ),
        Reason.INTERNAL_ERROR: Words("Something went wrong in the school's gateway, so it stays shut.", AGAIN),
    }
)
