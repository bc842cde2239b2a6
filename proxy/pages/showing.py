"""A refusal as it is sent: status, headers and a body in the form that suits, each saying the same.

What is sent holds nothing but itself: no script, nothing from outside, one style sheet that the browser checks by its
hash. All that comes from a connection or a policy is escaped. A refusal may be shown inside another page's frame, as
there is nothing on it to be tricked into clicking; the one that offers to sign in may not.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from proxy.pages.forms import Form
from proxy.pages.reasons import FAULTS
from proxy.pages.refusal import Refusal, plain

type Headers = list[tuple[bytes, bytes]]

RETRY_AFTER = b"30"


@dataclass(frozen=True, slots=True)
class Showing:
    """How one form is made: its type, its body, and its style sheet, if it has one."""

    media: str
    body: Callable[[Refusal], str]
    style: str | None = None


def render(refusal: Refusal, form: Form = Form.PAGE) -> tuple[int, Headers, bytes]:
    """Status, headers and body. The body is for any method but HEAD."""
    showing = _SHOWINGS[form]
    body = showing.body(refusal).encode()
    framed = not (form is Form.PAGE and refusal.sign_in)
    headers = [
        (b"content-type", showing.media.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"content-language", refusal.words.tag.encode()),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", _content_security_policy(showing.style, framed=framed)),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if not framed:
        headers.append((b"x-frame-options", b"DENY"))
    if refusal.reason in FAULTS:
        headers.append((b"retry-after", RETRY_AFTER))
    return refusal.status, headers, body


# Bodies


def _page(refusal: Refusal) -> str:
    return _template("refusal.html").render(refusal=refusal, words=refusal.words, style=_markup("refusal.css"))


def _frame(refusal: Refusal) -> str:
    return _template("frame.html").render(refusal=refusal, words=refusal.words, style=_markup("frame.css"))


def _image(_: Refusal) -> str:
    return _resource("closed.svg")


def _comment(refusal: Refusal) -> str:
    """For scripts and style sheets alike: nothing to run, nothing to apply, a line for whoever looks at the source."""
    return f"/* {refusal.line.replace('*/', '* /')} */\n"


def _text(refusal: Refusal) -> str:
    return f"{refusal.line}\n"


def _problem(refusal: Refusal) -> str:
    """RFC 9457, with what a program may act on beside it."""
    fields = {
        "type": "about:blank",
        "title": refusal.status.phrase,
        "status": refusal.status,
        "detail": plain(f"{refusal.site}: {refusal.sentence}"),
        "reason": refusal.reason,
        "host": refusal.host,
        "service": refusal.service,
        "category": refusal.category,
        "clause": refusal.clause,
        "policy": refusal.policy_title,
        "advice": refusal.remedy,
        "contact": refusal.contact,
        "ended_at": refusal.ended_at and refusal.ended_at.isoformat(timespec="seconds"),
        "at": refusal.at.isoformat(timespec="seconds"),
        "reference": refusal.reference,
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


_SHOWINGS: Mapping[Form, Showing] = MappingProxyType(
    {
        Form.PAGE: Showing("text/html; charset=utf-8", _page, "refusal.css"),
        Form.FRAME: Showing("text/html; charset=utf-8", _frame, "frame.css"),
        Form.PROBLEM: Showing("application/problem+json", _problem),
        Form.IMAGE: Showing("image/svg+xml", _image),
        Form.SCRIPT: Showing("text/javascript; charset=utf-8", _comment),
        Form.STYLE: Showing("text/css; charset=utf-8", _comment),
        Form.TEXT: Showing("text/plain; charset=utf-8", _text),
    }
)


# Parts


@cache
def _template(name: str) -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    return environment.from_string(_resource(name))


def _shown(value: object) -> object:
    """What a template writes of text that is not our own markup."""
    return plain(value) if type(value) is str else value


@cache
def _markup(name: str) -> Markup:
    return Markup(_resource(name))  # noqa: S704 -- our own file


@cache
def _content_security_policy(style: str | None, *, framed: bool) -> bytes:
    parts = ["default-src 'none'", "base-uri 'none'", "form-action 'none'"]
    if style is not None:
        allowed = b64encode(sha256(_resource(style).encode()).digest()).decode()
        parts.insert(1, f"style-src 'sha256-{allowed}'")
    if not framed:
        parts.append("frame-ancestors 'none'")
    return "; ".join(parts).encode()


@cache
def _resource(name: str) -> str:
    return files("proxy.pages").joinpath("templates", name).read_text(encoding="utf-8")
