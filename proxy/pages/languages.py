"""The languages of the refusal page: a file each, in ``policies/languages``, with every word the page says by itself.

Which one is spoken the policy says (``wording.language``); what the school itself has written is shown as it is.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from policies.documents import read_document
from policies.fields import LANGUAGES, Frozen
from policies.vocabulary import Reason
from proxy.pages.reasons import Remedy

DEFAULT = "en"

type Words = Annotated[str, Field(min_length=1)]


class Page(Frozen):
    """The words around a refusal; those in braces are filled in."""

    heading: Words
    fault_heading: Words
    advice: Words
    network: Words
    connection: Words
    ended: Words
    what_to_do: Words
    contact: Words
    offer: Words
    sign_in: Words
    site: Words
    rule: Words
    section: Words
    time: Words
    reference: Words
    quote: Words
    recorded: Words
    unrecorded: Words
    line: Words
    line_reference: Words


class Language(Frozen):
    """One language, whole."""

    tag: Words
    direction: Literal["ltr", "rtl"]
    name: Words
    moment: Words
    weekdays: Annotated[tuple[Words, ...], Field(min_length=7, max_length=7)]
    months: Annotated[tuple[Words, ...], Field(min_length=12, max_length=12)]
    page: Page
    reasons: Mapping[Reason, Words]
    remedies: Mapping[Remedy, Words]

    def written(self, at: datetime) -> str:
        """``Tuesday 14 July 2026 at 09:05``, as people write it."""
        return self.moment.format(
            weekday=self.weekdays[at.weekday()],
            day=at.day,
            month=self.months[at.month - 1],
            year=at.year,
            time=f"{at:%H:%M}",
        )


@cache
def language(key: str = DEFAULT) -> Language:
    """The language that a file is named for. Raises PolicyError where there is none."""
    return Language.model_validate(read_document(LANGUAGES / f"{key}.yaml").content)
