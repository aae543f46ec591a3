"""Under which addresses the front is reached, and the links that lead edges to it."""

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, urlsplit

from cryptography import x509

from ecavg_tf.core.errors import ConfigError, brief
from server.carrying.certificates import SERVER, SERVER_KEY, check_server

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NAME = re.compile(r"[A-Za-z0-9.:-]+")
_PORTS = {"https": 443, "http": 80}


def check_place(host: str, certs: Path | None) -> None:
    """Keys and models must not travel in the open.

    Args:
        host: the address to listen on.
        certs: the folder with the server's certificate; None: there is none.

    Raises:
        ConfigError: there is none and the host is not this machine, or it can't be used.
    """
    if certs is None:
        if host not in _LOOPBACK:
            raise ConfigError(
                f"--host={host} needs TLS: without --certs only this machine is served "
                "(127.0.0.1); make certificates with 'ecavg certs'"
            )
        return
    for name in (SERVER, SERVER_KEY):
        if not (certs / name).is_file():
            raise ConfigError(f"{certs} has no {name}; make it with 'ecavg certs --host=NAME'")
    check_server(certs)


def names_of(host: str, certs: Path | None) -> tuple[str, ...]:
    """Names and addresses under which browsers may ask, the best one for links first.

    Raises:
        ConfigError: the certificate names none.
    """
    if certs is None:
        return (host, *(name for name in _LOOPBACK if name != host))
    certificate = x509.load_pem_x509_certificates((certs / SERVER).read_bytes())[0]
    try:
        known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError) as error:
        raise ConfigError(
            f"{certs / SERVER} names no host ({brief(error)}); make it with 'ecavg certs'"
        ) from error
    names = known.get_values_for_type(x509.DNSName)
    names += [str(address) for address in known.get_values_for_type(x509.IPAddress)]
    return tuple(sorted(names, key=lambda name: (name in _LOOPBACK) != (host in _LOOPBACK)))


def origins_of(scheme: str, names: Iterable[str], port: int) -> tuple[str, ...]:
    """Addresses as browsers write them: without the port that goes without saying."""
    end = "" if port == _PORTS[scheme] else f":{port}"
    return tuple(f"{scheme}://{_bracketed(name).lower()}{end}" for name in names)


def public_origin(address: str) -> str:
    """What ``--address`` says, as browsers write an origin.

    Raises:
        ConfigError: it is none, or not one of HTTPS.
    """
    try:
        parts = urlsplit(address)
        name, port = parts.hostname or "", parts.port
        own = name if ":" in name else name.encode("idna").decode()
    except ValueError:
        own, port = "", None
    more = "" if not own else parts.netloc.rpartition("@")[1] + parts.query + parts.fragment
    sound = own and _NAME.fullmatch(own) and port != 0 and not more
    if not sound or parts.scheme != "https" or parts.path not in ("", "/"):
        raise ConfigError(
            f"--address={address} is no address of a site; give one such as "
            "https://learn.example.org"
        )
    return origins_of("https", [own], port or _PORTS["https"])[0]


def link(origin: str, edge: str, key: str) -> str:
    """What opens the page as an edge: browsers never send what stands behind the ``#``."""
    return f"{origin}/#edge={quote(edge, safe='')}&key={key}"


def _bracketed(name: str) -> str:
    try:
        return f"[{name}]" if ipaddress.ip_address(name).version == 6 else name
    except ValueError:
        return name
