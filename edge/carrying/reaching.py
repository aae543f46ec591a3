"""Says in one line why a server can't be reached; Flower's node only says that it tries again."""

import datetime
import email.utils
import http.client
import socket
import ssl
from pathlib import Path

from ecavg_tf.core.errors import ConfigError, RoundError, brief

_TIMEOUT_S = 10.0
_CLOCK_S = 300.0  # Flower refuses a node whose clock is further off
_EXPIRED, _NOT_YET, _OTHER_NAME = 10, 9, 62  # OpenSSL's numbers


def check_reachable(host: str, port: int, ca: Path | None) -> None:
    """Connects once, as a node would.

    Args:
        host: the server's.
        port: the server's.
        ca: the authority's certificate; None: without TLS.

    Raises:
        RoundError: it can't be reached now; it may be up later.
        ConfigError: it was reached, and what is wrong does not mend itself.
    """
    where = f"{host}:{port}"
    try:
        date = _date_of(host, port, None if ca is None else _context(ca))
    except ssl.SSLCertVerificationError as error:
        raise ConfigError(_said(where, ca, error)) from error
    except ssl.SSLError as error:
        raise ConfigError(
            f"{where} speaks no TLS ({brief(error)}); is it the port of 'ecavg serve --certs'?"
        ) from error
    except socket.gaierror as error:
        raise RoundError(f"--server={where}: no machine has the name {host}") from error
    except (OSError, http.client.HTTPException) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else brief(error)
        raise RoundError(
            f"no server answers at {where} ({why}); is 'ecavg serve' up, and the address right?"
        ) from error
    if date is not None:
        now = datetime.datetime.now(datetime.UTC)
        off = (now - email.utils.parsedate_to_datetime(date)).total_seconds()
        if abs(off) > _CLOCK_S:
            raise ConfigError(
                f"this machine's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} "
                f"that of {where}, and more than {_CLOCK_S:g} s are refused: set it"
            )


def _context(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"--ca={ca} is no certificate that can be read: {brief(error)}"
        ) from error


def _date_of(host: str, port: int, context: ssl.SSLContext | None) -> str | None:
    connection: http.client.HTTPConnection
    if context is None:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    else:
        connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    try:
        connection.request("GET", "/v1/fleet/")
        return connection.getresponse().headers.get("Date")
    finally:
        connection.close()


def _said(where: str, ca: Path | None, error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return (
            f"the certificate of {where} has expired (or this machine's clock is ahead); make it "
            "anew on the server: ecavg certs --host=NAME"
        )
    if code == _NOT_YET:
        return (
            f"the certificate of {where} is not valid yet: this machine's clock is behind; set it"
        )
    if code == _OTHER_NAME or "IP address mismatch" in error.verify_message:
        return (
            f"the certificate of {where} is for another name ({error.verify_message}); name the "
            "server as in 'ecavg certs --host'"
        )
    return (
        f"the certificate of {where} was not signed by --ca={ca} ({error.verify_message}); get "
        "ca.pem from the server's owner again"
    )
