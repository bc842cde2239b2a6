"""Every language of the page is whole: the same keys, the same places to fill in, every reason code."""

import re
from datetime import datetime
from pathlib import Path

import pytest

from policies import fields
from policies.fields import LANGUAGES
from policies.loading import PolicyError
from policies.model import Wording
from policies.vocabulary import Reason
from proxy.pages import languages
from proxy.pages.languages import DEFAULT, Language, Page, language
from proxy.pages.reasons import Remedy
from proxy.pages.showing import render
from tests.refusals import AT, example

KEYS = sorted(file.name.removesuffix(".yaml") for file in LANGUAGES.iterdir())


@pytest.fixture(params=KEYS)
def spoken(request: pytest.FixtureRequest) -> Language:
    return language(request.param)


def places(text: str) -> set[str]:
    return set(re.findall(r"{(\w*)}", text))


def sentences(spoken: Language) -> list[str]:
    return [*spoken.reasons.values(), *spoken.remedies.values()]


def test_english_and_welsh_are_there() -> None:
    """The school's two languages; a third is one more file."""
    assert {"en", "cy"} <= set(KEYS)
    assert (language().tag, language("cy").tag) == ("en-GB", "cy")


def test_every_reason_and_every_remedy_has_its_words(spoken: Language) -> None:
    """Nobody is ever shown a bare code; a new reason needs its sentence first, in each language."""
    assert set(spoken.reasons) == set(Reason)
    assert set(spoken.remedies) == set(Remedy)


def test_the_same_is_filled_in_everywhere(spoken: Language) -> None:
    """What English fills in, each language fills in; nothing else is in braces."""
    english = language(DEFAULT)
    assert places(spoken.moment) == places(english.moment)
    for key in Page.model_fields:
        assert places(getattr(spoken.page, key)) == places(getattr(english.page, key)), key
    assert not [text for text in sentences(spoken) if "{" in text or "}" in text]


def test_every_word_of_the_page_is_used() -> None:
    """A key that no template and no module says is not kept."""
    source = "".join(
        file.read_text() for folder in (LANGUAGES.parent.parent / "proxy" / "pages",) for file in folder.rglob("*.*")
        if file.suffix in {".py", ".html"} and file.name != "languages.py"
    )  # fmt: skip
    said = set(re.findall(r"\bpage\.(\w+)", source))
    assert set(Page.model_fields) <= said


def test_sentences_are_sentences(spoken: Language) -> None:
    """With a capital, a full stop, typographic apostrophes, and none of the code's own words."""
    for text in sentences(spoken):
        assert text[0].isupper()
        assert text.endswith(".")
        assert not set("_'\"") & set(text)
    assert all(text.count(".") == 1 for text in spoken.reasons.values())


@pytest.mark.parametrize(
    ("key", "month", "written"),
    [
        ("en", 7, "Tuesday 14 July 2026 at 09:05"),
        ("cy", 7, "dydd Mawrth 14 Gorffennaf 2026 am 09:05"),
        ("en", 2, "Saturday 14 February 2026 at 09:05"),
        ("cy", 2, "dydd Sadwrn 14 Chwefror 2026 am 09:05"),
    ],
)
def test_a_moment_is_written_as_people_write_it(key: str, month: int, written: str) -> None:
    """In the language's own names and order."""
    assert language(key).written(AT.replace(month=month)) == written


def test_every_day_and_every_month_has_its_own_name(spoken: Language) -> None:
    """No name stands twice."""
    assert len({spoken.written(datetime(2026, month, 1)) for month in range(1, 13)}) == 12  # noqa: DTZ001 -- on the wall
    assert len(set(spoken.weekdays)) == 7
    assert len(set(spoken.months)) == 12


def test_a_language_that_is_not_there_is_an_error_of_the_policy() -> None:
    """It says which there are."""
    with pytest.raises(ValueError, match="'tlh' is no language of the page: write one of cy, en"):
        Wording(language="tlh")
    with pytest.raises(ValueError, match="no language of the page"):
        Wording(language="../horringer-court")
    with pytest.raises(PolicyError):
        language("tlh")


def test_a_third_language_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put beside the others it can be chosen and is spoken, from right to left where it says so."""
    for module in (fields, languages):
        monkeypatch.setattr(module, "LANGUAGES", tmp_path)
    english = (LANGUAGES / "en.yaml").read_text(encoding="utf-8")
    (tmp_path / "ar.yaml").write_text(english.replace("direction: ltr", "direction: rtl").replace("en-GB", "ar"))
    chosen = Wording(language="ar").language
    assert b'<html lang="ar" dir="rtl">' in render(example(language=chosen))[2]
    language.cache_clear()
