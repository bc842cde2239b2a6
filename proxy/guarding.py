"""mitmproxy swallows what a hook raises and goes on as if nothing were amiss. Here a fault denies, is counted, logged.

``guarded(deny)`` wraps a hook; each ``deny`` below is what refusing means at that point of a connection's life (law 1).
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from mitmproxy import connection, http, tls
from mitmproxy.exceptions import AddonHalt
from mitmproxy.proxy import layer, server_hooks

from proxy.layers import Gate, Refusing

REFUSED = "refused by schoolgate"


class Faulty(Protocol):
    """Something that can say that something went wrong inside it."""

    @property
    def fault(self) -> Callable[[str, BaseException], None]: ...


class Guarded(Gate, Protocol):
    """An addon that can say that something went wrong inside it."""

    def refuse_for_fault(self, client: connection.Client) -> None: ...


class Guard(Protocol):
    """Wraps a hook so that it never raises into mitmproxy."""

    def __call__[E: Faulty, D](self, hook: Callable[[E, D], None]) -> Callable[[E, D], None]: ...


def guarded(deny: Callable[[Any, Any], None]) -> Guard:
    """Whatever the hook raises, ``deny(enforcer, data)`` is done; mitmproxy never sees it.

    A cancellation is denied too, and then let through: swallowed, it would hang the connection.
    """

    def guard[E: Faulty, D](hook: Callable[[E, D], None]) -> Callable[[E, D], None]:
        @functools.wraps(hook)
        def enforced(enforcer: E, data: D) -> None:
            try:
                hook(enforcer, data)
            except AddonHalt:
                raise
            except BaseException as error:
                try:
                    deny(enforcer, data)
                finally:
                    enforcer.fault(hook.__name__, error)
                if not isinstance(error, Exception):
                    raise

        return enforced

    return guard


def guarded_dial[E: Faulty](
    hook: Callable[[E, server_hooks.ServerConnectionHookData], Awaitable[None]],
) -> Callable[[E, server_hooks.ServerConnectionHookData], Awaitable[None]]:
    """Denies first, so that whatever happens inside, only the hook's own last line opens the way."""

    @functools.wraps(hook)
    async def enforced(enforcer: E, data: server_hooks.ServerConnectionHookData) -> None:
        data.server.error = REFUSED
        try:
            await hook(enforcer, data)
        except Exception as error:  # noqa: BLE001 -- law 1: whatever it is, it denies, is counted and logged
            data.server.error = REFUSED
            enforcer.fault(hook.__name__, error)
        except BaseException:  # cancelled: the connection was cut meanwhile
            data.server.error = REFUSED
            raise

    return enforced


def hang_up(_: Guarded, client: connection.Client) -> None:
    client.error = REFUSED


def refuse_layer(enforcer: Guarded, data: layer.NextLayer) -> None:
    data.layer = Refusing(data.context, enforcer, alert=False)
    enforcer.refuse_for_fault(data.context.client)


def refuse_flow(enforcer: Guarded, flow: http.HTTPFlow) -> None:
    flow.response = unavailable()
    enforcer.refuse_for_fault(flow.client_conn)


def refuse_tls(_: Guarded, data: tls.TlsData) -> None:
    data.ssl_conn = None


def refuse_hello(_: Guarded, data: tls.ClientHelloData) -> None:
    data.ignore_connection = False


def stop_flow(_: Guarded, flow: http.HTTPFlow) -> None:
    if flow.killable:
        flow.kill()


def nothing(_: Faulty, __: object) -> None:
    """There is nothing to deny: the hook only keeps the books."""


def unavailable() -> http.Response:
    return http.Response.make(503, b"The school's gateway cannot decide about this.\n", {"Connection": "close"})
