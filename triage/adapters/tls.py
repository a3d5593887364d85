"""TLS for the mailbox and the mailer: one way to make a context, one way to say why no connection came about."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

from triage.core.errors import ConfigError


def context(ca_file: str | Path | None = None) -> ssl.SSLContext:
    """A verifying client context. With `ca_file`, only what is in that file is trusted."""
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{ca_file}: no usable CA certificates in this file ({error}); name a PEM file") from error


def reason(error: BaseException | None) -> str | None:
    """What to mend when `error`, or what caused it, is a failed handshake; None when TLS is not the trouble."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({error.verify_message}): renew it, or set ca_file to its issuer"
        if isinstance(error, ssl.SSLError):
            return f"no TLS session ({error.reason or error}): does tls fit the port?"
        error = error.__cause__ or error.__context__
    return None


def unreached(error: BaseException, said: str) -> str:
    """Why a server cannot be reached, and what to look at; `said` where the error itself says too little."""
    trust = reason(error)
    if trust:
        return trust
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, socket.gaierror):
        said = f"no such host ({cause.strerror})"
    elif isinstance(cause, OSError) and cause.errno:
        said = os.strerror(cause.errno)
    return f"{said}; is the server running, are host and port right?"
