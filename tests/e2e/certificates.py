# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Authorities of our own: for registries, and for signers as Sigstore's authority certifies them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import typing as t
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if t.TYPE_CHECKING:
    import pathlib

LOOPBACK = "127.0.0.1"
# Where certificates of Sigstore say who vouched for the identity: as bytes, and in newer ones as a text.
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_TEXT = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_HOUR = dt.timedelta(hours=1)
_LONG_AGO = dt.timedelta(days=-30)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(**used: bool) -> x509.KeyUsage:
    unused = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(**{**unused, **used})


def _text(value: str) -> bytes:
    """A UTF8String in DER; all of ours are short."""
    data = value.encode()
    assert len(data) < 128
    return bytes([0x0C, len(data)]) + data


@dataclass(frozen=True)
class Issued:
    """A certificate and its key in files."""

    certificate: pathlib.Path
    key: pathlib.Path


class Authority:
    """Certifies servers and signers; it, or one of the certificates, may have expired long ago."""

    def __init__(self, folder: pathlib.Path, name: str, *, expired: bool = False) -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(name), self._key, expired=expired)
        self._certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, expired: bool
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        begins, ends = (now + 2 * _LONG_AGO, now + _LONG_AGO) if expired else (now - _HOUR, now + 24 * _HOUR)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_name(self._name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
        )

    def server(self, name: str, *, expired: bool = False) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.IPAddress(ipaddress.ip_address(LOOPBACK))
        builder = self._builder(_name(name), key, expired=expired)
        return self._issue(name, key, builder.add_extension(x509.SubjectAlternativeName([address]), critical=False))

    def signer(self, name: str, identity: str, issuer: str) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(x509.Name([]), key, expired=False)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]), critical=True)
            .add_extension(x509.UnrecognizedExtension(_ISSUER, issuer.encode()), critical=False)
            .add_extension(x509.UnrecognizedExtension(_ISSUER_TEXT, _text(issuer)), critical=False)
        )
        return self._issue(name, key, builder)

    def _issue(self, name: str, key: ec.EllipticCurvePrivateKey, builder: x509.CertificateBuilder) -> Issued:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = builder.add_extension(identifier, critical=False).sign(self._key, hashes.SHA256())
        issued = Issued(self._folder / f"{name}.crt", self._folder / f"{name}.pem.key")
        issued.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return issued
