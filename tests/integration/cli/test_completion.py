"""A shell completes commands, options and values: bash as one types, zsh and fish by their own completers."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.needs import require

BIN = Path(sys.executable).parent
DEADLINE = 60

CASES = [
    ("schoolgate gra", {"grant", "grants"}),
    ("schoolgate people dis", {"disable"}),
    ("schoolgate grant --rea", {"--reason"}),
    ("schoolgate people role j.smith tech", {"technician"}),
    ("schoolgate attempts --verdict al", {"allow"}),
    ("schoolgate catalogue list --category for", {"forum"}),
    ("schoolgate grant 10.20.0.10 face", {"facebook"}),
    ("schoolgate grant 10.20.0.10 category:for", {"category:forum"}),
    ("schoolgate grant network:gu", {"network:guest"}),
    ("schoolgate --as head why --from fd00::1 www.x.com --per", {"--person"}),
    ("schoolgate grant --reason 'Open day' --unt", {"--until"}),
    ("schoolgate completion fi", {"fish"}),
]


@pytest.fixture
def environment(bare) -> dict[str, str]:
    """Where nothing is set up: what comes with schoolgate is completed all the same."""
    return {**bare.environment, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(bare.state_dir.parent)}


@pytest.fixture(scope="session")
def scripts(tmp_path_factory) -> Path:
    """What each shell is told, as somebody would keep it."""
    folder = tmp_path_factory.mktemp("completion")
    for shell in ("bash", "zsh", "fish"):
        done = subprocess.run([BIN / "schoolgate", "completion", shell], capture_output=True, check=True)
        (folder / shell).write_bytes(done.stdout)
    return folder


def typed(keys: str, script: Path, environment: dict[str, str]) -> str:
    """What the arguments are after bash, on a terminal, has taken the keys."""
    shell, ours = pty.openpty()
    program = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"], stdin=ours, stdout=ours, stderr=ours, env=environment, close_fds=True
    )
    os.close(ours)
    prepared = f"source {script}; schoolgate() {{ printf '<%s>' \"$@\"; printf 'do''ne\\n'; }}\n"
    os.write(shell, f"{prepared}{keys}\n".encode())
    seen, until = "", time.monotonic() + DEADLINE
    while "done" not in seen and time.monotonic() < until:
        if select.select([shell], [], [], 1)[0]:
            seen += os.read(shell, 65536).decode(errors="replace")
    program.kill()
    program.wait()
    os.close(shell)
    return seen


@pytest.mark.parametrize(
    ("keys", "arguments"),
    [
        ("schoolgate people dis\t", "<people><disable>"),
        ("schoolgate grant x category:for\t", "<grant><x><category:forum>"),
        ("schoolgate attempts --verdict=al\t", "<attempts><--verdict=allow>"),
        ("schoolgate grant --reason 'Open day' network:gu\t", "<grant><--reason><Open day><network:guest>"),
        ("schoolgate why www.x.com --from fd00::1 --per\t", "<why><www.x.com><--from><fd00::1><--person>"),
    ],
)
def test_bash(keys, arguments, scripts, environment):
    """One types, presses Tab, and the word is whole: colons and equals signs too."""
    assert arguments in typed(keys, scripts / "bash", environment)


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_fish(line, expected, scripts, environment):
    """fish's own completer, asked for a line."""
    require("fish")
    command = f"source {scripts / 'fish'}; complete --do-complete {line!r}"
    done = subprocess.run(["fish", "--command", command], capture_output=True, text=True, env=environment, check=True)
    assert {offered.partition("\t")[0] for offered in done.stdout.splitlines()} == expected


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_zsh(line, expected, scripts, environment):
    """What zsh is told to offer."""
    require("zsh")
    script = scripts / "zsh"
    assert script.read_text().startswith("#compdef schoolgate\n")
    command = (
        "compdef() { :; }; _arguments() { print -r -- $1; }; _files() { :; }; "
        f'source {script}; words=("${{(z)1}}"); CURRENT=$#words; _schoolgate_completion'
    )
    done = subprocess.run(
        ["zsh", "-f", "-c", command, "zsh", line], capture_output=True, text=True, env=environment, check=True
    )
    offered = re.findall(r'"([^"]+)"(?::"[^"]*")?', done.stdout)  # "value":"what it is", the colons in a value escaped
    assert {value.replace("\\", "") for value in offered} == expected
