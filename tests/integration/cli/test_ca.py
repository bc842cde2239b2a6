"""The CA as a technician meets it: made, told, its passphrase shown once and taken away, renewed, given out."""

import os
import plistlib
import pty
import re
import select
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from cryptography import x509

from tests.integration.cli.conftest import Commands

PASSPHRASE = "correct horse battery staple"
GENERATED = re.compile(r"\b(?:[a-z]{4}-){5}[a-z]{4}\b")
DEADLINE = 60.0


class Terminal:
    """A command at a terminal: what it shows, and what somebody types."""

    def __init__(self, process: "subprocess.Popen[bytes]", descriptor: int) -> None:
        self.process, self._descriptor, self.shown = process, descriptor, ""
        self._read = 0

    def expect(self, text: str) -> str:
        """Wait for ``text``; what was shown up to it."""
        ends = time.monotonic() + DEADLINE
        while text not in self.shown[self._read :] and time.monotonic() < ends and self._more():
            pass
        assert text in self.shown[self._read :], self.shown
        self._read = self.shown.index(text, self._read) + len(text)
        return self.shown[: self._read]

    def type(self, line: str) -> None:
        os.write(self._descriptor, line.encode() + b"\n")

    def end(self) -> int:
        while self._more():
            pass
        return self.process.wait(DEADLINE)

    def _more(self) -> bool:
        if not select.select([self._descriptor], [], [], 0.5)[0]:
            return self.process.poll() is None
        try:
            piece = os.read(self._descriptor, 65536)
        except OSError:  # the other end is closed
            return False
        self.shown += piece.decode(errors="replace").replace("\r\n", "\n")
        return bool(piece)


@contextmanager
def at_a_terminal(commands: Commands, *arguments: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "proxy.cli", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=dict(commands.environment),
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(DEADLINE)
        os.close(ours)


@pytest.fixture
def locked(bare) -> Commands:
    """A CA whose passphrase only people know."""
    assert bare("ca", "init", "--passphrase-stdin", stdin=f"{PASSPHRASE}\n").code == 0
    return bare


def lose(commands: Commands, title: str) -> None:
    """Something to renew."""
    (commands.state_dir / "ca" / "intermediates" / f"{title}.pem").unlink()


def key_of(commands: Commands) -> dict[str, bool]:
    return commands("ca", "status", "--json").json["root_key"]


def everything_in(commands: Commands) -> str:
    files = (path for path in commands.state_dir.rglob("*") if path.is_file())
    return "\n".join(path.read_text(errors="replace") for path in files)


# The passphrase


def test_on_a_terminal_the_passphrase_is_shown_once_and_kept_nowhere(bare):
    """It is the key's, and in no file."""
    with at_a_terminal(bare, "ca", "init") as terminal:
        assert terminal.end() == 0
    [passphrase] = GENERATED.findall(terminal.shown)
    assert passphrase not in everything_in(bare)
    assert key_of(bare) == {"present": True, "encrypted": True, "passphrase_left": False}
    lose(bare, "forum-1")
    assert bare("ca", "renew", "--passphrase-stdin", stdin=f"{passphrase}\n").code == 0


def test_without_a_terminal_it_is_left_and_said(bare):
    """A script's CA works; what is to be done is said at once, and by status until it is."""
    for shown in (bare("ca", "init").out, bare("ca", "status").out):
        assert f"amber: The passphrase of the root's key lies open in {bare.state_dir}/ca/root.passphrase" in shown
        assert "    schoolgate ca passphrase\n" in shown
        assert not GENERATED.search(shown)
    assert stat.S_IMODE((bare.state_dir / "ca" / "root.passphrase").stat().st_mode) == 0o600


def test_a_left_passphrase_is_taken_away(bare):
    """Shown on a terminal, deleted once somebody says that it is written down."""
    bare("ca", "init")
    left = (bare.state_dir / "ca" / "root.passphrase").read_text().strip()
    with at_a_terminal(bare, "ca", "passphrase") as terminal:
        assert left in terminal.expect("Is it written down?")
        terminal.type("y")
        assert terminal.end() == 0
    assert not (bare.state_dir / "ca" / "root.passphrase").exists()
    assert "amber" not in bare("ca", "status").out
    lose(bare, "forum-1")
    assert bare("ca", "renew", "--passphrase-stdin", stdin=f"{left}\n").code == 0


def test_one_that_is_not_written_down_stays(bare):
    """Nothing is lost by a no."""
    bare("ca", "init")
    with at_a_terminal(bare, "ca", "passphrase") as terminal:
        terminal.expect("Is it written down?")
        terminal.type("n")
        assert terminal.end() == 1
    assert "Nothing was changed" in terminal.shown
    assert key_of(bare)["passphrase_left"]


def test_without_a_terminal_nothing_is_shown(bare):
    """A passphrase in a log would be one that others read."""
    bare("ca", "init")
    left = (bare.state_dir / "ca" / "root.passphrase").read_text().strip()
    result = bare("ca", "passphrase")
    assert result.code == 1
    assert "no terminal to show the passphrase on" in result.err
    assert left not in result.out + result.err
    assert key_of(bare)["passphrase_left"]


def test_one_of_ones_own(bare):
    """Set on standard input, in place of the one that was left; too short a one is refused."""
    bare("ca", "init")
    assert bare("ca", "passphrase", "--passphrase-stdin", stdin="hunter2\n").code == 1
    assert bare("ca", "passphrase", "--passphrase-stdin", stdin=f"{PASSPHRASE}\n").code == 0
    assert key_of(bare) == {"present": True, "encrypted": True, "passphrase_left": False}
    changed = bare("ca", "passphrase", "--passphrase-stdin", stdin=f"{PASSPHRASE}\nanother one of my own\n")
    assert changed.code == 0, changed.err
    lose(bare, "forum-1")
    assert bare("ca", "renew", "--passphrase-stdin", stdin=f"{PASSPHRASE}\n").code == 1
    assert bare("ca", "renew", "--passphrase-stdin", stdin="another one of my own\n").code == 0


def test_an_open_key_is_encrypted_at_a_terminal(locked):
    """The first release's, found so by status, put right by the same command."""
    path = locked.state_dir / "ca" / "root.key"
    opened = ["openssl", "pkey", "-in", str(path), "-passin", "stdin"]
    path.write_bytes(subprocess.run(opened, input=PASSPHRASE.encode(), capture_output=True, check=True).stdout)
    assert "amber: The root's key is not encrypted" in locked("ca", "status").out
    with at_a_terminal(locked, "ca", "passphrase") as terminal:
        [fresh] = GENERATED.findall(terminal.expect("Is it written down?"))
        terminal.type("y")
        assert terminal.end() == 0
    assert b"ENCRYPTED" in path.read_bytes()
    lose(locked, "forum-1")
    assert locked("ca", "renew", "--passphrase-stdin", stdin=f"{fresh}\n").code == 0


@pytest.mark.parametrize("given", [b"", b"\n", b"\xff\xfe\n", b"x" * 100_000])
def test_what_is_no_passphrase(bare, given):
    """Empty, no text, huge: said, and no CA is made."""
    result = bare("ca", "init", "--passphrase-stdin", stdin=given)
    assert result.code in (1, 2)
    assert len(result.err) < 400
    assert not (bare.state_dir / "ca").exists()


# Renewing


def test_three_tries_at_a_terminal(locked):
    """A slip of the finger is no reason to begin again."""
    lose(locked, "forum-1")
    with at_a_terminal(locked, "ca", "renew") as terminal:
        for typed in ("wrong", "wrong again", PASSPHRASE):
            terminal.expect("Passphrase of the root's key:")
            terminal.type(typed)
        assert terminal.end() == 0
    assert "forum-1" in terminal.shown
    assert PASSPHRASE not in terminal.shown


def test_three_wrong_ones_are_enough(locked):
    """Then it ends, says what to do when it is lost, and nothing was changed."""
    lose(locked, "forum-1")
    with at_a_terminal(locked, "ca", "renew") as terminal:
        for _ in range(3):
            terminal.expect("Passphrase of the root's key:")
            terminal.type("wrong")
        assert terminal.end() == 1
    assert "nobody can recover it" in " ".join(terminal.shown.split())
    assert locked("ca", "status", "--json").json["lacking"] != []


def test_nothing_to_renew_asks_for_nothing(locked):
    """Neither passphrase nor key."""
    (locked.state_dir / "ca" / "root.key").unlink()
    result = locked("ca", "renew")
    assert result.code == 0
    assert "Nothing to renew" in result.out


def test_a_dry_run_says_what_would_be_done(locked):
    """Without the passphrase, and without doing it."""
    lose(locked, "forum-1")
    planned = locked("ca", "renew", "--dry-run", "--json").json
    assert planned["dry_run"] is True
    assert [issue["title"] for issue in planned["issued"]] == ["forum-1"]
    assert "Nothing was changed" in locked("ca", "renew", "--dry-run").out
    assert locked("ca", "status", "--json").json["lacking"] == planned["issued"][0]["names"]


def test_from_a_stick(locked, tmp_path):
    """Status says that the key is away, renewing names it, and it is not copied back."""
    stick = tmp_path / "stick.key"
    shutil.move(locked.state_dir / "ca" / "root.key", stick)
    assert "kept elsewhere: good" in locked("ca", "status").out
    lose(locked, "forum-1")
    assert "schoolgate ca renew --root-key FILE" in locked("ca", "status").out
    lacking = locked("ca", "renew")
    assert lacking.code == 1
    assert "--root-key" in lacking.err
    renewed = locked("ca", "renew", "--root-key", str(stick), "--passphrase-stdin", stdin=f"{PASSPHRASE}\n")
    assert renewed.code == 0, renewed.err
    assert not (locked.state_dir / "ca" / "root.key").exists()
    assert "ENCRYPTED" not in everything_in(locked)


def test_a_clock_before_the_cas_birth(locked, monkeypatch):
    """Told by status, refused by renew, each with what to do."""
    monkeypatch.setattr("proxy.cli.context.datetime", Past)
    told = locked("ca", "status")
    assert told.code == 0
    assert "red: The clock says 1970-01-02" in told.out
    assert "timedatectl" in told.out
    refused = locked("ca", "renew", "--passphrase-stdin", stdin=f"{PASSPHRASE}\n")
    assert refused.code == 1
    assert "before this CA was made" in refused.err


class Past:
    """A clock whose battery is dead."""

    @staticmethod
    def now(zone):
        return datetime(1970, 1, 2, tzinfo=zone)


# Telling and giving out


def test_status_fits_a_page(bare):
    """80 columns, whatever lacks."""
    bare("ca", "init")
    for file in (bare.state_dir / "ca" / "intermediates").iterdir():
        file.unlink()
    told = bare("ca", "status")
    assert told.code == 0
    assert "red: " in told.out
    whole = (str(bare.state_dir), "SHA-256")  # in a pipe what is looked for stands on one line
    lines = [line for line in told.out.splitlines() if not any(name in line for name in whole)]
    assert max(map(len, lines)) <= 80


def test_a_file_is_written_once(locked, tmp_path):
    """Readable for all, never over another by accident."""
    out = tmp_path / "root.pem"
    assert locked("ca", "export", "--out", str(out)).code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o644
    out.write_text("mine")
    refused = locked("ca", "export", "--out", str(out))
    assert refused.code == 1
    assert "--force" in refused.err
    assert out.read_text() == "mine"
    assert locked("ca", "export", "--out", str(out), "--der", "--force").code == 0
    assert x509.load_der_x509_certificate(out.read_bytes())


def test_der_on_standard_output(locked):
    """The same certificate as in PEM."""
    pem = x509.load_pem_x509_certificate(locked("ca", "export").out.encode())
    with subprocess.Popen(
        [sys.executable, "-m", "proxy.cli", "ca", "export", "--der"], env=dict(locked.environment), stdout=-1
    ) as process:
        data, _ = process.communicate(timeout=DEADLINE)
    assert x509.load_der_x509_certificate(data) == pem


@pytest.mark.parametrize("platform", ["group-policy", "ios", "firefox", "android"])
def test_steps_for_a_platform(locked, tmp_path, platform):
    """With this CA's file and fingerprint, what is honoured there, and where that is said."""
    fingerprint = locked("ca", "status", "--json").json["root"]["fingerprint"]
    told = locked("ca", "export", "--for", platform).out
    assert f"ca export --for {platform} --out " in told
    assert fingerprint in re.sub(r"\s", "", told)
    assert "From: " in told
    out = tmp_path / "file.mobileconfig"
    fields = locked("ca", "export", "--for", platform, "--out", str(out), "--json").json
    assert fields["fingerprint"] == fingerprint
    assert any(str(out) in step for step in fields["steps"])
    if platform == "ios":
        assert plistlib.loads(out.read_bytes())["PayloadContent"][0]["PayloadType"] == "com.apple.security.root"


def test_what_does_not_go_together(locked):
    """A guide knows its own form."""
    assert locked("ca", "export", "--for", "ios", "--der").code == 2
    assert locked("ca", "export", "--for", "amiga").code == 2
