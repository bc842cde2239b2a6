"""mitmproxy swallows what a hook raises and goes on as if nothing were amiss. Here a fault denies, is counted, logged.

``guarded(deny)`` wraps a hook; each ``deny`` below is what refusing means at that point of a connection's life (law 1).
"""

import functools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from mitmproxy import connection, http, tls
from mitmproxy.exceptions import AddonHalt
from mitmproxy.proxy import layer, server_hooks

from proxy.desk import Desk
from proxy.layers import Refusing

REFUSED = "refused by schoolgate"


class Addon(Protocol):
    """What has hooks to guard."""

    @property
    def desk(self) -> Desk: ...


class Guard(Protocol):
    """Wraps a hook so that it never raises into mitmproxy."""

    def __call__[A: Addon, D](self, hook: Callable[[A, D], None]) -> Callable[[A, D], None]: ...


class AsyncGuard(Protocol):
    """The same for a hook that waits for something."""

    def __call__[A: Addon, D](self, hook: Callable[[A, D], Awaitable[None]]) -> Callable[[A, D], Awaitable[None]]: ...


type Deny = Callable[[Any, Any], None]


def guarded(deny: Deny) -> Guard:
    """Whatever the hook raises, ``deny(addon, data)`` is done; mitmproxy never sees it.

    A cancellation is denied too, and then let through: swallowed, it would hang the connection.
    """

    def guard[A: Addon, D](hook: Callable[[A, D], None]) -> Callable[[A, D], None]:
        @functools.wraps(hook)
        def enforced(addon: A, data: D) -> None:
            with _denying(deny, addon, data, hook.__name__):
                hook(addon, data)

        return enforced

    return guard


def guarded_async(deny: Deny) -> AsyncGuard:
    """As ``guarded``. What is waited for may never come: such a hook denies first, and its last line lets in."""

    def guard[A: Addon, D](hook: Callable[[A, D], Awaitable[None]]) -> Callable[[A, D], Awaitable[None]]:
        @functools.wraps(hook)
        async def enforced(addon: A, data: D) -> None:
            with _denying(deny, addon, data, hook.__name__):
                await hook(addon, data)

        return enforced

    return guard


@contextmanager
def _denying(deny: Deny, addon: Addon, data: object, where: str) -> Iterator[None]:
    try:
        yield
    except AddonHalt:
        raise
    except BaseException as error:
        try:
            deny(addon, data)
        finally:
            addon.desk.fault(where, error)
        if not isinstance(error, Exception):
            raise


def guarded_dial[A: Addon](
    hook: Callable[[A, server_hooks.ServerConnectionHookData], Awaitable[None]],
) -> Callable[[A, server_hooks.ServerConnectionHookData], Awaitable[None]]:
    """Denies first, so that whatever happens inside, only the hook's own last line opens the way."""

    @functools.wraps(hook)
    async def enforced(addon: A, data: server_hooks.ServerConnectionHookData) -> None:
        data.server.error = REFUSED
        try:
            await hook(addon, data)
        except Exception as error:  # noqa: BLE001 -- law 1: whatever it is, it denies, is counted and logged
            data.server.error = REFUSED
            addon.desk.fault(hook.__name__, error)
        except BaseException:  # cancelled: the connection was cut meanwhile
            data.server.error = REFUSED
            raise

    return enforced


def hang_up(_: Addon, client: connection.Client) -> None:
    client.error = REFUSED


def refuse_layer(addon: Addon, data: layer.NextLayer) -> None:
    data.layer = Refusing(data.context, addon.desk)
    addon.desk.refuse_for_fault(data.context.client)


def refuse_flow(addon: Addon, flow: http.HTTPFlow) -> None:
    flow.response = unavailable()
    addon.desk.refuse_for_fault(flow.client_conn)


def refuse_tls(_: Addon, data: tls.TlsData) -> None:
    data.ssl_conn = None


def refuse_hello(_: Addon, data: tls.ClientHelloData) -> None:
    data.ignore_connection = False


def stop_flow(_: Addon, flow: http.HTTPFlow) -> None:
    if flow.killable:
        flow.kill()


def nothing(_: Addon, __: object) -> None:
    """There is nothing to deny: the hook only keeps the books."""


def unavailable() -> http.Response:
    return http.Response.make(503, b"The school's gateway cannot decide about this.\n", {"Connection": "close"})
