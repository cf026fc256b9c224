# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes and judges X.509 certificates as PEM. Knows no cluster. Private to the collection."""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass, field

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:  # said by demand_library, so that the rest of the collection can be imported without it
    x509 = None  # type: ignore[assignment]

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

AUTHORITY_DAYS: t.Final = 3650
# Clocks of clients may be behind.
_SKEW: t.Final = dt.timedelta(minutes=5)


class CertificateError(Exception):
    """A certificate or key cannot be read or used; the text has no value in it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both as PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


def demand_library() -> None:
    if x509 is None:
        raise CertificateError("the Python package cryptography is needed; install it for the interpreter of this host")


def make_authority(name: str, now: dt.datetime) -> Pair:
    """An authority that signs hosts and nothing below itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    usage = _usage(sign_certificates=True)
    builder = (
        _builder(subject, subject, key, now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return _signed(builder, key, key)


def make_host(host: str, authority: Pair, days: int, now: dt.datetime) -> Pair:
    signer = load_key(authority.key)
    issuer = load(authority.certificate)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)] if len(host) <= 64 else [])
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(subject, issuer.subject, key, now, days)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=not list(subject))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return _signed(builder, key, signer)


def load(pem: bytes) -> x509.Certificate:
    """The first certificate of a chain."""
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except (ValueError, IndexError) as exc:
        raise CertificateError("holds no certificate in PEM") from exc


def load_key(pem: bytes) -> CertificateIssuerPrivateKeyTypes:
    try:
        return t.cast("CertificateIssuerPrivateKeyTypes", serialization.load_pem_private_key(pem, password=None))
    except (ValueError, TypeError) as exc:
        raise CertificateError("holds no private key in PEM that opens without a password") from exc


def pair_fault(pair: Pair, now: dt.datetime) -> str:
    """Why this pair is of no use; empty when it is."""
    try:
        certificate, key = load(pair.certificate), load_key(pair.key)
    except CertificateError as exc:
        return str(exc)
    if certificate.public_key() != key.public_key():
        return "holds a key that is not the certificate's"
    if certificate.not_valid_after_utc <= now:
        return f"has expired at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if certificate.not_valid_before_utc > now + _SKEW:
        return f"is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    return ""


def names_of(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return extension.value.get_values_for_type(x509.DNSName)


def covers(certificate: x509.Certificate, host: str) -> bool:
    """Whether clients take it for this host; a * stands for one label."""
    below = host.partition(".")[2]
    return any(name.lower() in (host, f"*.{below}") for name in names_of(certificate))


def is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def is_old(certificate: x509.Certificate, now: dt.datetime) -> bool:
    """Whether two thirds of its life have passed."""
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return now >= certificate.not_valid_before_utc + life * 2 / 3


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: CertificateIssuerPrivateKeyTypes
) -> Pair:
    certificate = builder.sign(signer, hashes.SHA256())
    return Pair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
