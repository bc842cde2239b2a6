"""The manual page says what the commands say, and is set without a complaint."""

import subprocess
from pathlib import Path

from man import build
from tests.needs import require

PAGE = Path(build.__file__).with_name("schoolgate.1")


def test_the_page_is_up_to_date() -> None:
    """`make man` would write what is there."""
    assert PAGE.read_text(encoding="utf-8") == build.page(), "run: make man"


def test_the_page_is_set_without_a_warning() -> None:
    """By groff, with every warning it has."""
    require("groff")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-k", "-ww", "-z", PAGE], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""


def test_prose_stays_prose() -> None:
    """Nothing in a help text is taken for a request, an escape or a quote."""
    assert build.text(".start") == r"\&.start"
    assert build.text(r'a\n --for "x"') == r"a\en \-\-for \(dqx\(dq"
