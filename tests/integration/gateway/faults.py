"""Runs the answerer with a fault that can be switched on in any of its functions, inside whatever guards them.

    python faults.py FOLDER        a file FOLDER/NAME makes the function called NAME raise from its first line

``sys.monitoring`` raises within the function's own frame, so that a decorator around it sees what it would see in
earnest; a wrapper of ours would stand outside the very guard under test. FOLDER/hit/NAME tells that it happened.
"""

import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType

INSTRUMENTED = (
    "proxy.enforcing",
    "proxy.requests",
    "proxy.desk",
    "proxy.persons",
    "proxy.identity.challenging",
    "proxy.identity.browsing",
    "proxy.identity.exchange",
    "proxy.identity.basic",
    "proxy.own_certificate",
    "proxy.tls_listener",
    "proxy.dialling",
    "proxy.guarding",
    "proxy.layers",
    "proxy.flows",
    "proxy.judging",
    "proxy.clients",
    "proxy.classify",
    "proxy.dial",
    "proxy.resolving",
    "proxy.answering",
    "proxy.sweeping",
)
TOOL = sys.monitoring.DEBUGGER_ID


class InjectedFault(RuntimeError):
    """What goes wrong on purpose."""


def functions_of(module: ModuleType) -> Iterator[tuple[str, CodeType]]:
    """Every function and method that a module defines, by name, with the innermost code a decorator wraps."""
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value):
            for method, function in vars(value).items():
                if not method.startswith("__") and (code := _code(function)) is not None:
                    yield f"{name}.{method}", code
        elif (code := _code(value)) is not None:
            yield name, code


def _code(function: object) -> CodeType | None:
    if isinstance(function, (staticmethod, classmethod)):
        function = function.__func__
    if isinstance(function, property):
        function = function.fget
    return getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None


def instrument(folder: Path) -> None:
    """Make every instrumented function look for its fault whenever it starts."""
    names: dict[CodeType, str] = {}
    for module in INSTRUMENTED:
        names.update((code, name) for name, code in functions_of(__import__(module, fromlist=["_"])))
    (folder / "hit").mkdir(parents=True, exist_ok=True)

    def start(code: CodeType, _offset: int) -> None:
        name = names.get(code)
        if name is not None and (folder / name).exists():
            (folder / "hit" / name).touch()
            raise InjectedFault(f"a fault in {name}, injected by a test")

    monitoring = sys.monitoring
    monitoring.use_tool_id(TOOL, "faults")
    monitoring.register_callback(TOOL, monitoring.events.PY_START, start)
    for code in names:
        monitoring.set_local_events(TOOL, code, monitoring.events.PY_START)


def main() -> int:
    from proxy import answerer, settings, sweeping  # noqa: PLC0415 -- only the process, not the tests that list names

    sweeping.FIGURES_EVERY = 0.05  # every fault is looked for in the figures
    instrument(Path(sys.argv[1]))
    return answerer.main(settings.load(os.environ).settings)


if __name__ == "__main__":
    raise SystemExit(main())
