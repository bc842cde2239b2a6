"""Make the pictures of docs/screenshots anew: ``.venv/bin/python -m tests.screenshots docs/screenshots``.

They show what is sent, in a real Chromium. The letters are those of the machine it runs on; P052 (Palatino) and
Open Sans, from Debian's fonts-urw-base35 and fonts-open-sans, come close to what a school's computers have.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Browser

from policies.vocabulary import Reason
from proxy.pages.forms import Form
from proxy.pages.refusal import Refusal
from proxy.pages.showing import render
from tests.browser import launched
from tests.refusals import AT, example

DESK = {"width": 1280, "height": 800}
SHEET = {"width": 794, "height": 780}  # the upper part of A4, in CSS pixels
WELSH = example(
    language="cy",
    school="Ysgol Llys Horringer",
    policy_title="Polisi Cyfryngau Cymdeithasol",
    category="Rhwydwaith cymdeithasol",
    contact="y pennaeth, drwy swyddfa’r ysgol",
)


@dataclass(frozen=True)
class Shot:
    refused: Refusal
    form: Form = Form.PAGE
    window: Mapping[str, object] = field(default_factory=lambda: {"viewport": DESK})
    paper: bool = False


SHOTS: Mapping[str, Shot] = {
    "light": Shot(example()),
    "dark": Shot(example(), window={"viewport": DESK, "color_scheme": "dark"}),
    "phone": Shot(example(), window={"viewport": {"width": 390, "height": 844}}),
    "ended": Shot(example(reason=Reason.AUTHORISATION_ENDED, ended_at=AT - timedelta(minutes=5))),
    "sign-in": Shot(example(sign_in=True)),
    "welsh": Shot(WELSH),
    "other-letters": Shot(example(host="xn--fcebook-8va.example", service=None)),
    "frame": Shot(example(), Form.FRAME, {"viewport": {"width": 300, "height": 150}, "device_scale_factor": 2}),
    "print": Shot(example(), window={"viewport": SHEET}, paper=True),
}


def take(browser: Browser, shot: Shot, file: Path) -> None:
    context = browser.new_context(**shot.window)  # type: ignore[arg-type]  # what a shot says of its window
    page = context.new_page()
    page.set_content(render(shot.refused, shot.form)[2].decode())
    if shot.paper:
        page.emulate_media(media="print")
        page.evaluate("document.body.style.margin = '15mm'")  # as a printer leaves it
    page.screenshot(path=file, full_page=shot.form is Form.PAGE and not shot.paper)
    context.close()


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with launched() as browser:
        for name, shot in SHOTS.items():
            take(browser, shot, folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
