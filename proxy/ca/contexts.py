"""TLS as the answerer speaks it, for one host: modern, without memory. No tickets, no sessions, no key log."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"  # for TLS 1.2; those of TLS 1.3 are all good
PROTOCOLS = (b"h2", b"http/1.1")
OPTIONS = SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION


def server_context(
    certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate
) -> SSL.Context:
    """A context that shows ``certificate`` and its issuer; the root is the client's to have."""
    context = bare_context()
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.add_extra_chain_cert(issuer)
    return context


def bare_context() -> SSL.Context:
    """A server's context without a certificate yet."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(OPTIONS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(CIPHERS)
    context.set_alpn_select_callback(choose_protocol)
    return context


def choose_protocol(connection: SSL.Connection, offered: Sequence[bytes]) -> bytes | SSL._NoOverlappingProtocols:
    """HTTP/2 where it is offered, then HTTP/1.1, else none (which means HTTP/1.1).

    A connection that may speak fewer has them as its ``app_data``.
    """
    spoken: Sequence[bytes] = connection.get_app_data() or PROTOCOLS
    return next((protocol for protocol in spoken if protocol in offered), SSL.NO_OVERLAPPING_PROTOCOLS)
