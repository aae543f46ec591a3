"""A certificate authority of one's own, the server's certificate, and the edges' keys."""

import datetime
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ecavg_tf.core.errors import ConfigError, brief
from ecavg_tf.core.files import write_bytes

_CA_DAYS = 3650
_LOCAL = ("localhost", "127.0.0.1")
CA, CA_KEY, SERVER, SERVER_KEY = "ca.pem", "ca.key", "server.pem", "server.key"


def make_authority(folder: Path) -> None:
    """Makes the authority, unless it is there: all edges would have to get the new one."""
    if (folder / CA).exists():
        return
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ecavg authority")])
    builder = _builder(name, name, key.public_key(), _CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    builder = builder.add_extension(_usage(signs=True), critical=True)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(own, critical=False)
    _write_key(folder / CA_KEY, key, serialization.PrivateFormat.PKCS8)
    write_bytes(folder / CA, _pem(builder.sign(key, hashes.SHA384())))


def make_server(folder: Path, hosts: Sequence[str], days: int) -> datetime.datetime:
    """Makes the server's certificate anew.

    Args:
        folder: the authority's.
        hosts: names and addresses under which edges reach the server; 'ecavg run' on the same
            machine reaches it under 127.0.0.1.
        days: how long it holds; negative: it has expired.

    Returns:
        Until when it holds.
    """
    loaded = serialization.load_pem_private_key((folder / CA_KEY).read_bytes(), None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    authority = x509.load_pem_x509_certificate((folder / CA).read_bytes())
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    builder = _builder(name, authority.subject, key.public_key(), days)
    builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
    builder = builder.add_extension(_usage(signs=False), critical=True)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([_host(host) for host in dict.fromkeys([*hosts, *_LOCAL])]),
        critical=False,
    )
    whose = x509.AuthorityKeyIdentifier.from_issuer_public_key(loaded.public_key())
    builder = builder.add_extension(whose, critical=False)
    certificate = builder.sign(loaded, hashes.SHA384())
    _write_key(folder / SERVER_KEY, key, serialization.PrivateFormat.PKCS8)
    write_bytes(folder / SERVER, _pem(certificate))
    return certificate.not_valid_after_utc


def check_server(folder: Path) -> None:
    """Checks that the server's certificate holds now: else nobody connects, nor is told why.

    Raises:
        ConfigError: it does not, or is no certificate.
    """
    path = folder / SERVER
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise ConfigError(f"{path} is no certificate that can be read: {brief(error)}") from error
    now = datetime.datetime.now(datetime.UTC)
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > last:
        raise ConfigError(
            f"{path} has expired on {last:%Y-%m-%d} (or this machine's clock is ahead); make it "
            f"anew: ecavg certs --out={folder} --host=NAME"
        )
    if now < first:
        raise ConfigError(
            f"{path} is not valid before {first:%Y-%m-%d}: this machine's clock is behind; set it"
        )


def make_edge_key(folder: Path, edge: str) -> Path:
    """Makes an edge's key pair, unless it is there; gives the private key's path."""
    private = folder / f"{edge}.key"
    if not private.exists():
        key = ec.generate_private_key(ec.SECP384R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        write_bytes(folder / f"{edge}.pub", public + b"\n")
        _write_key(private, key, serialization.PrivateFormat.OpenSSH)
    return private


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    start = now - datetime.timedelta(days=max(1, 1 - days))  # a clock may be a little slow
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(
    path: Path, key: ec.EllipticCurvePrivateKey, form: serialization.PrivateFormat
) -> None:
    content = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)  # nobody else reads it
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
