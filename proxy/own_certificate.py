"""What the gateway shows as itself on a TLS listener: a leaf of the school's CA for ``host_name``, or a given PEM.

A PEM that is renewed is taken over without a restart; one that became unreadable is said once, and the one before
stays in use. Devices check the name, so there is none to fall back on.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from OpenSSL import SSL

from policies.names import HostName
from proxy.ca.authority import CertificateSource
from proxy.ca.contexts import bare_context
from proxy.settings import ListenMode, Settings

logger = logging.getLogger(__name__)

LOOKED_AT_EVERY = timedelta(seconds=10)

type OwnContext = Callable[[datetime], SSL.Context | None]


class OwnCertificateError(Exception):
    """There is nothing that the gateway could show as itself; the message says why, and what to do."""


class PemFile:
    """Key and chain in one file. Raises OwnCertificateError where it is of no use at first."""

    def __init__(self, path: Path, now: datetime) -> None:
        self._path, self._trouble = path, ""
        self._seen, self._looked_at = self._as_it_stands(), now
        self._context = self._read()

    def context(self, now: datetime) -> SSL.Context | None:
        if abs(now - self._looked_at) >= LOOKED_AT_EVERY:
            self._looked_at = now
            self._look()
        return self._context

    def _look(self) -> None:
        seen = self._as_it_stands()
        if seen == self._seen and not self._trouble:
            return
        try:
            self._context, self._seen, self._trouble = self._read(), seen, ""
        except OwnCertificateError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                logger.error("The certificate before it stays in use. %s", error)  # noqa: TRY400 -- the file, not the code

    def _as_it_stands(self) -> object:
        try:
            about = self._path.stat()
        except OSError as error:
            return error.errno
        return about.st_ino, about.st_mtime_ns, about.st_size

    def _read(self) -> SSL.Context:
        context = bare_context()
        try:
            context.use_certificate_chain_file(str(self._path))
            context.use_privatekey_file(str(self._path))
            context.check_privatekey()
        except SSL.Error as error:
            what = "is no PEM file of a private key and its certificates, the gateway's own first"
            raise OwnCertificateError(f"{self._path} (tls_certificate) {what}, or cannot be read.") from error
        return context


def own_certificate(settings: Settings, authority: CertificateSource, now: datetime) -> OwnContext:
    """What to show on TLS listeners. Raises OwnCertificateError where there is one and nothing to show."""
    if settings.tls_certificate is not None:
        return PemFile(settings.tls_certificate, now).context
    name = settings.host_name
    if name is None or all(listener.mode is not ListenMode.EXPLICIT_TLS for listener in settings.listen):
        return _nothing
    _check(authority, name, now)
    return lambda now: authority.context_for(name, now)


def _check(authority: CertificateSource, name: HostName, now: datetime) -> None:
    if authority.context_for(name, now) is None:
        raise OwnCertificateError(
            f"The school's CA has no certificate for {name} (host_name), so explicit+tls has nothing to show. "
            "Issue it with `schoolgate ca renew`, or set `tls_certificate`."
        )


def _nothing(_: datetime) -> None:
    """There is no listener that would show anything."""
