"""``people import`` and ``devices import``: files as people have them, and as nobody should."""

from contextlib import closing
from io import BytesIO

import pytest

from policies.vocabulary import Role
from proxy.services import imports
from proxy.services.permission import Actor
from tests.integration.cli.conftest import PASSWORDS

PEOPLE = "name,display_name,role,groups\nj.smith,Jo Smith,staff,governors\na.jones,Al Jones,staff,\n"
TECH = Actor("tech", "Tech", Role.TECHNICIAN)
DEVICES = "name,addresses,owner\noffice-3,10.20.0.10;10.20.0.11,j.smith\n"


@pytest.fixture
def tech(school):
    school.act_as("tech")
    return school


@pytest.mark.parametrize(("family", "text"), [("people", PEOPLE), ("devices", DEVICES)])
def test_first_dry_then_done_then_the_same(tech, tmp_path, family, text):
    """The dry run shows what the import then does; the second import changes nothing."""
    file = tmp_path / "table.csv"
    file.write_text(text)
    before = tech(family, "list", "--json").json
    rehearsed = tech(family, "import", str(file), "--dry-run", "--json").json
    assert rehearsed["imported"] is False
    assert tech(family, "list", "--json").json == before
    done = tech(family, "import", str(file), "--json").json
    assert done == {**rehearsed, "imported": True}
    assert tech(family, "list", "--json").json != before
    again = tech(family, "import", "-", stdin=text)
    assert again.code == 0
    assert f"Imported: {len(text.splitlines()) - 1} the same." in again.out
    assert max(map(len, again.out.splitlines())) <= 80


def test_an_excel_file(tech, tmp_path):
    """As saved with “CSV UTF-8” where the comma is a decimal point."""
    file = tmp_path / "devices.csv"
    file.write_bytes(b'\xef\xbb\xbfName;Addresses;Owner;\r\noffice-3;"10.20.0.10;10.20.0.11";;\r\n;;;\r\n')
    assert "Imported: 1 added." in tech("devices", "import", str(file)).out


def test_every_wrong_line_is_shown(tech):
    """On standard output with the rest, and the exit code is 1; with --json too."""
    text = f"{PEOPLE}no spaces,X,staff,\nb.king,X,king,\n"
    result = tech("people", "import", "-", stdin=text)
    assert result.code == 1
    assert "cannot be the name of a person" in " ".join(result.out.split())
    assert "2 lines are wrong: nothing is imported." in result.err
    as_json = tech("people", "import", "-", "--dry-run", "--json", stdin=text)
    assert (as_json.code, as_json.error["code"]) == (1, "import_refused")
    assert [line["fate"] for line in as_json.json["lines"]] == ["change", "add", "error", "error"]
    assert [person["name"] for person in tech("people", "list", "--json").json if person["groups"]] == []


def test_the_actor_s_password_is_the_first_line(school):
    """And the table is what follows it."""
    stdin = f"{PASSWORDS['tech']}\n{DEVICES}"
    assert "1 added" in school("--as", "tech", "--password-stdin", "devices", "import", "-", stdin=stdin).out


@pytest.mark.parametrize(
    ("raw", "code", "said"),
    [
        (b"", 2, "the column name is missing"),
        (b"name,addresses,colour\n", 2, "'colour' is no column"),
        (b"name,addresses\n\x00\x00\n", 2, "zero bytes"),
        (b"name,addresses\n" + b"a,10.20.0.9\n" * 1_000_000, 2, "larger than 8 MB"),
        (b"name," + b"addresses," * 1_000_000, 2, "larger than 8 MB"),
        (b"name," + b"a," * 1_000_000, 2, "longer than"),
        (b'name,addresses\n"a,10.20.0.9\n', 1, "quotation"),
        (b"name,addresses\nJos\xe9,10.20.0.9\n", 1, "0xe9"),
        (b"name,addresses\n=cmd|' /C calc'!A0,10.20.0.9\n", 1, "cannot be the name of a device"),
    ],
)
def test_hostile_files(tech, raw, code, said):
    """One sentence, or a table with the line; nothing is imported and nothing reaches the terminal."""
    result = tech("devices", "import", "-", stdin=raw)
    assert result.code == code
    assert said in " ".join((result.out + result.err).split())
    assert "\x1b" not in result.out + result.err
    assert tech("devices", "list", "--json").json == []


@pytest.mark.parametrize("name", ["nothing-there.csv", "."])
def test_no_such_file(tech, tmp_path, name):
    """Is one sentence with its name."""
    result = tech("people", "import", str(tmp_path / name))
    assert result.code == 1
    assert str(tmp_path) in result.err


def test_who_imports(school):
    """Not staff, and not nobody; the file is not even read then."""
    assert school("people", "import", "nothing-there.csv").code == 3
    school.act_as("j.smith")
    assert school("people", "import", "-", stdin=PEOPLE).code == 3


@pytest.mark.parametrize(("family", "kind"), [("people", imports.PEOPLE), ("devices", imports.DEVICES)])
def test_the_help_names_the_columns(bare, family, kind):
    """Just those that a table has."""
    told = " ".join(bare(family, "import", "--help").out.split())
    assert f"columns {', '.join(kind.required)} (and {', '.join(kind.optional)})" in told


def test_what_changes_nothing_waits_for_nobody(tech):
    """While somebody else is writing, too: it is worked out by reading alone. Wrong lines likewise."""
    assert tech("people", "import", "-", stdin=PEOPLE).code == 0
    planned = []
    with closing(tech.store) as store, store.read() as unit:
        planned += [imports.plan_people(unit, TECH, BytesIO(text.encode())) for text in (PEOPLE, PEOPLE + "x y,,,\n")]
    assert [table.changes for table in planned] == [False, False]
    assert {line.fate for line in planned[0].fates({}, {})} == {imports.Fate.SAME}
    with pytest.raises(imports.ImportRefused):
        planned[1].fates(planned[1].errors, {})
