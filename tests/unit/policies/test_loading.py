"""Files that are wrong are refused whole, with file, line, field, and what was expected."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from policies.loading import (
    PolicyError,
    catalogue_from_json,
    catalogue_to_json,
    default_policy_path,
    load_catalogue,
    load_policy,
    policy_from_json,
    policy_to_json,
)

GOOD = """\
school:
  name: A school
  contact: the head
networks:
  estate:
    addresses: [10.0.0.0/8]
  guest:
    addresses: [10.99.0.0/16]
    page: no
timetable:
  periods:
    lessons:
      - {from: "09:00", to: "10:00"}
rules:
  - name: Estate
    clause: "3"
    verdict: deny
    networks: [estate]
authorisations:
  longest: 2h
"""


@pytest.fixture
def write(tmp_path):
    def written(text: str | bytes, name: str = "policy.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def wrong(path: Path) -> str:
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    return str(caught.value)


def test_a_good_policy(write):
    """Headings become names, durations and times values; the version is a digest of the file's bytes."""
    policy = load_policy(write(GOOD))
    assert policy.version == sha256(GOOD.encode()).hexdigest()[:12]
    assert {name: (network.name, network.page) for name, network in policy.networks.items()} == {
        "estate": ("estate", True),
        "guest": ("guest", False),
    }
    assert policy.authorisations.longest == timedelta(hours=2)
    assert policy.timetable.time_zone == policy.school.time_zone == "Europe/London"


def test_line_ends_and_byte_order_mark_of_other_editors(write):
    """A file saved on Windows is the same policy."""
    windows = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    assert load_policy(write(windows)).rules == load_policy(write(GOOD)).rules


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("page: no", "pages: no", 9, "networks.guest.pages: is no field here; did you mean page?"),
        ("page: no", "zzz: no", 9, "networks.guest.zzz: is no field here; there are name, addresses, page"),
        ("school:", "skool: 1\nschool:", 1, "skool: is no field here; did you mean school?"),
        ("page: no", "page: maybe", 9, "networks.guest.page: input should be a valid boolean"),
        ("10.99.0.0/16", "10.99.0.1/16", 8, "write one such as 10.20.0.0/16"),
        ("10.99.0.0/16", "5", 8, "networks.guest.addresses.0: 5 is no network: write one such as"),
        ("10.99.0.0/16", "10.0.0.0/8", 8, "networks.guest.addresses.0: 10.0.0.0/8 is in estate already"),
        ('"09:00"', '"25:00"', 13, "timetable.periods.lessons.0.from: '25:00' is no time of day"),
        ('to: "10:00"', 'to: "08:00"', 13, "timetable.periods.lessons.0: from 09:00 to 08:00 is empty or crosses"),
        ("verdict: deny", "verdict: forbid", 17, "rules.0.verdict: input should be 'allow' or 'deny'; found 'forbid'"),
        ('    clause: "3"\n', "", 15, "rules.0.clause: is missing"),
        ("  contact: the head\n", "", 1, "school.contact: is missing"),
        (
            "networks: [estate]",
            "networks: [estaet]",
            18,
            "rules.0.networks.0: there is no network 'estaet'; there are estate, guest",
        ),
        (
            "networks: [estate]",
            "during: [lesson]",
            18,
            "rules.0.during.0: there is no period 'lesson'; there are lessons",
        ),
        ("longest: 2h", "longest: 2 hours", 20, "authorisations.longest: '2 hours' is no duration: write one such as"),
        ("longest: 2h", "longest: 0h", 20, "authorisations.longest: '0h' is out of range"),
        ("longest: 2h", "longest: 99999d", 20, "authorisations.longest: '99999d' is out of range"),
        (
            "longest: 2h",
            "longest: 2h\n  longest: 3h",
            21,
            "authorisations.longest: said twice; the first is on line 20",
        ),
        ("  guest:", "  Guest:", 7, "networks.Guest: 'Guest' is no key"),
        ("name: A school", "name: A school\n  time_zone: Europe/Bury", 3, "school.time_zone: 'Europe/Bury' is no time"),
        (
            "timetable:",
            "timetable:\n  time_zone: Asia/Tokyo",
            11,
            "timetable.time_zone: leave it out; school.time_zone says it for both",
        ),
        ("  periods:", "\tperiods:", 11, "a tab; indent with spaces"),
        ("[estate]", "[estate", 19, "not YAML: "),
        ("deny", "!!python/name:os.system x", 17, "rules.0.verdict: the tag tag:yaml.org,2002:python/name:os.system"),
        ("name: A school", "name: &a A school", 2, "school.name: anchors (&) and aliases (*) are not used here"),
        ("contact: the head", "? [a, b]\n  : c", 3, "school: a field's name is a word"),
        (
            "longest: 2h",
            "longest: 2h\nobserve: {estate: tomorrow}",
            21,
            "observe.estate: 'tomorrow' is no date and time",
        ),
        ("longest: 2h", "longest: 2h\nobserve: {estate: 9999-12-31}", 21, "observe.estate: 9999-12-31 is no end"),
        ("longest: 2h", "longest: 2h\nobserve: {gues: 2026-12-31}", 21, "observe.gues: there is no network 'gues'"),
        ("longest: 2h", "longest: 2h\nunknown_network: x", 21, "unknown_network: there is no network 'x'"),
        ("[estate]", "estate", 18, "rules.0.networks: is not a list; [one, two] or lines that begin with"),
        ("school:\n", "school: x\nwording:\n", 1, "school: is not a mapping; fields of the form `name: value`"),
        ("longest: 2h", "longest: 2h\nports: [0]", 21, "ports.0: input should be greater than or equal to 1; found 0"),
        ("    page: no", "    name: visitors", 7, "networks.guest: leave out name ('visitors')"),
        (
            "longest: 2h",
            "longest: 2h\nexempt: [{because: x, clause: x, domains: [co.uk]}]",
            21,
            "exempt.0.domains.0: 'co.uk' is everybody's",
        ),
        (
            "longest: 2h",
            "longest: 2h\nexempt:\n  - because: x\n    clause: x\n    domains:\n      - a.example\n      - a b",
            26,
            "exempt.0.domains.1: 'a b' is not a host name",
        ),
    ],
)
def test_an_error_points_at_the_line(write, old, new, line, message):
    """File, line, field, and what was expected."""
    assert old in GOOD
    path = write(GOOD.replace(old, new))
    said = wrong(path)
    assert re.search(rf"^{re.escape(str(path))}:{line}: .*", said, re.MULTILINE), said
    assert message in said


def test_every_problem_is_said_at_once(write):
    """In the order of the file, so that one look mends them all."""
    said = wrong(write(GOOD.replace("page: no", "pages: no").replace("deny", "forbid").replace("2h", "soon")))
    assert [int(line.split(":")[1]) for line in said.splitlines()] == [9, 17, 20]


def test_endless_problems_are_cut_short(write):
    """A file that is wrong everywhere gives twenty lines and a count."""
    said = wrong(write(GOOD + "ports: [" + ", ".join(["0"] * 1000) + "]\n")).splitlines()
    assert len(said) == 21
    assert said[-1].endswith("and 980 problems more")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ":1: the file is empty"),
        (b"# only a comment\n\n", ":1: the file is empty"),
        (b"- a\n- b\n", ":1: is not a mapping; fields of the form"),
        (b"just text", ":1: is not a mapping; fields of the form"),
        (b"42", ":1: is not a mapping; fields of the form"),
        ("school: é".encode("latin-1"), ":1: not UTF-8 at byte 8"),
        ("school: é".encode("utf-16"), ":1: not UTF-8 at byte 0"),
        (b"a: 1\nb: \x00\n", ":2: a control character"),
        (b"a: 1\n---\nb: 2\n", "not YAML: but found another document"),
        (b"a: " + b"[" * 50_000, "nested too deeply"),
        (b"a: 2026-99-99", "'2026-99-99' is not a value"),
        (b"a: 1" + b" " * 5_000_000, "larger than 1024 KiB"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "anchors (&) and aliases (*) are not used here"),
        (b"a: *nothing\n", ":1: not YAML: "),
    ],
)
def test_what_is_no_policy_at_all(write, content, message):
    """Empty, another format, another encoding, too deep, too large, a bomb: one sentence each."""
    assert message in wrong(write(content))


def test_an_alias_bomb_is_refused_without_growing(write):
    """Nine levels of nine would be a billion values; they are never built."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    assert "aliases" in wrong(write("\n".join(levels)))


def test_files_that_cannot_be_read(tmp_path):
    """Absent, a folder, a device: said so, and never waited for."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("absent.yaml", ".", "pipe"):
        assert "there is no such file" in wrong(tmp_path / name)
    assert "there is no such file" in wrong(Path("/dev/zero"))


def test_the_packaged_files_are_found_from_anywhere(tmp_path):
    """Policy and catalogue come with the package, not with the working directory."""
    script = "from policies.loading import *; print(check(load_policy(default_policy_path()), load_catalogue()))"
    root = Path(str(default_policy_path())).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "()"


# The catalogue

CATEGORY = """\
category: forum
name: Forums
services:
  reddit:
    name: Reddit
    domains: [reddit.com, redd.it]
  quora:
    name: Quora
    domains: [quora.com]
"""


def test_a_catalogue(write, tmp_path):
    """Services take their key from the heading and their category from the file."""
    write(CATEGORY, "forum.yaml")
    write("not a category", "notes.txt")
    catalogue = load_catalogue(tmp_path)
    assert catalogue.services["reddit"].category == "forum"
    assert catalogue.find(catalogue.services["reddit"].domains[1]) is catalogue.services["reddit"]
    before = catalogue.version
    write(CATEGORY.replace("redd.it", "redd.example"), "forum.yaml")
    assert load_catalogue(tmp_path).version != before


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            CATEGORY.replace("reddit", "a").replace("redd.it", "b.example"),
            "second.yaml:1: category: the category forum",
        ),
        (CATEGORY.replace("forum", "other"), "second.yaml:4: services.reddit: the service reddit stands at"),
        (
            CATEGORY.replace("forum", "other").replace("reddit:", "x:").replace("quora:", "y:"),
            "second.yaml:6: services.x.domains.1: the domain redd.it stands at",
        ),
        (
            "category: other\nname: Other\nservices: {a: {name: A, domains: []}}",
            "services.a.domains: is empty; at least one",
        ),
        ("category: other\nname: Other\nservices: {a: {name: A, domains: [com]}}", "'com' is everybody's"),
        ("category: other\nname: Other\nservices: {a: {name: A, domain: [b.example]}}", "did you mean domains?"),
    ],
)
def test_a_wrong_catalogue(write, tmp_path, second, message):
    """No category, service or domain twice, across files too; no domain that is everybody's."""
    write(CATEGORY, "first.yaml")
    write(second, "second.yaml")
    with pytest.raises(PolicyError) as caught:
        load_catalogue(tmp_path)
    assert message in str(caught.value)


def test_no_catalogue(tmp_path):
    """An empty or absent folder is an error, not a gate that knows nothing."""
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(PolicyError):
            load_catalogue(folder)


# The snapshot's form


def test_policy_through_json(write, shipped_policy):
    """What the snapshot carries is what was loaded, all that is derived included."""
    observed = load_policy(write(GOOD + "observe: {guest: 2026-12-18, estate: 2026-12-18 16:00}\n"))
    for policy in (shipped_policy, observed):
        assert policy_from_json(json.loads(json.dumps(policy_to_json(policy)))) == policy
    restored = policy_from_json(json.loads(json.dumps(policy_to_json(observed))))
    assert dict(restored.observed_until) == {
        "guest": datetime(2026, 12, 19, tzinfo=UTC),
        "estate": datetime(2026, 12, 18, 16, tzinfo=UTC),
    }


def test_catalogue_through_json(shipped_catalogue):
    """The table travels as JSON, the trie beside it."""
    table = json.loads(json.dumps(catalogue_to_json(shipped_catalogue)))
    restored = catalogue_from_json(table, shipped_catalogue.trie)
    assert restored == shipped_catalogue
    for service in shipped_catalogue.services.values():
        assert all(restored.find(domain) == service for domain in service.domains)
