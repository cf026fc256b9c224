# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Certificates of hosts are made once, renewed in time, and judged where others bring them."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils import _certificates as certificates
from ansible_collections.wmx.llm_platform.plugins.module_utils._certificates import CertificateError, Pair
from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_certificate import (
    Host,
    Outcome,
    Request,
    judge,
    provide,
)
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.secret_cluster import GATEWAY, SecretCluster

if t.TYPE_CHECKING:
    import pathlib

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
API = Host("api.llm.example.com", "api-tls")
REQUEST = Request(GATEWAY, [API], "edge-authority", 90)


@pytest.fixture
def cluster() -> SecretCluster:
    return SecretCluster()


def days(count: float) -> dt.datetime:
    return NOW + dt.timedelta(days=count)


def actions(outcome: Outcome) -> dict[str, str]:
    return {entry["secret"]: entry["action"] for entry in outcome.actions}


def held(cluster: SecretCluster, secret: str, key: str) -> bytes:
    value = cluster.value(f"{GATEWAY}/{secret}:{key}")
    assert value
    return value.encode()


def given(cluster: SecretCluster, pair: Pair, name: str = "api-tls") -> None:
    cluster.secret(GATEWAY, name, **{"tls.crt": pair.certificate.decode(), "tls.key": pair.key.decode()})


def test_an_empty_namespace_gets_an_authority_and_a_certificate_of_it(cluster: SecretCluster) -> None:
    outcome = provide(cluster.client, REQUEST, NOW)
    assert actions(outcome) == {"edge-authority": "made", "api-tls": "made"}
    certificate = certificates.load(held(cluster, "api-tls", "tls.crt"))
    authority = certificates.load(held(cluster, "edge-authority", "tls.crt"))
    assert certificates.is_signed_by(certificate, authority)
    assert certificates.names_of(certificate) == ["api.llm.example.com"]
    assert certificate.not_valid_after_utc == days(90)
    assert held(cluster, "api-tls", "ca.crt") == held(cluster, "edge-authority", "tls.crt"), "clients need it"
    assert cluster.get(("", "Secret", GATEWAY, "api-tls"))["type"] == "kubernetes.io/tls"  # type: ignore[index]


def test_clients_take_the_certificate_for_its_host_and_no_other(cluster: SecretCluster, tmp_path: pathlib.Path) -> None:
    provide(cluster.client, REQUEST, dt.datetime.now(dt.UTC))
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes(held(cluster, "api-tls", name))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client = ssl.create_default_context(cadata=held(cluster, "api-tls", "ca.crt").decode())

    def shake_hands(host: str) -> str:
        ours, theirs = socket.socketpair()

        def serve() -> None:
            try:
                server.wrap_socket(theirs, server_side=True).close()
            except OSError:
                theirs.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with client.wrap_socket(ours, server_hostname=host) as secure:
                return secure.version() or ""
        finally:
            thread.join()

    assert shake_hands("api.llm.example.com").startswith("TLSv1.")
    with pytest.raises(ssl.SSLCertVerificationError, match=r"[Hh]ostname mismatch"):
        shake_hands("evil.example.com")


def test_a_second_run_writes_nothing(cluster: SecretCluster) -> None:
    provide(cluster.client, REQUEST, NOW)
    before = len(cluster.writes)
    outcome = provide(cluster.client, REQUEST, days(1))
    assert not outcome.changed
    assert set(actions(outcome).values()) == {"kept"}
    assert len(cluster.writes) == before


def test_a_certificate_is_renewed_after_two_thirds_of_its_life_with_the_same_authority(cluster: SecretCluster) -> None:
    provide(cluster.client, REQUEST, NOW)
    authority, old = held(cluster, "edge-authority", "tls.crt"), held(cluster, "api-tls", "tls.key")
    assert not provide(cluster.client, REQUEST, days(59)).changed
    outcome = provide(cluster.client, REQUEST, days(60.1))
    assert actions(outcome) == {"edge-authority": "kept", "api-tls": "renewed"}
    assert held(cluster, "edge-authority", "tls.crt") == authority, "clients that trust it go on"
    assert held(cluster, "api-tls", "tls.key") != old


def test_an_old_authority_is_renewed_with_all_it_has_signed(cluster: SecretCluster) -> None:
    provide(cluster.client, REQUEST, NOW)
    outcome = provide(cluster.client, REQUEST, days(certificates.AUTHORITY_DAYS * 2 / 3 + 1))
    assert actions(outcome) == {"edge-authority": "renewed", "api-tls": "renewed"}


def test_another_host_gets_another_certificate(cluster: SecretCluster) -> None:
    provide(cluster.client, REQUEST, NOW)
    moved = Request(GATEWAY, [Host("api.other.example.com", "api-tls")], "edge-authority", 90)
    assert actions(provide(cluster.client, moved, NOW))["api-tls"] == "renewed"
    assert certificates.names_of(certificates.load(held(cluster, "api-tls", "tls.crt"))) == ["api.other.example.com"]


def test_check_mode_says_what_it_would_do_and_writes_nothing(cluster: SecretCluster) -> None:
    outcome = provide(cluster.client, REQUEST, NOW, dry_run=True)
    assert actions(outcome) == {"edge-authority": "made", "api-tls": "made"}
    assert cluster.writes == []


def test_what_is_told_has_no_key_in_it(cluster: SecretCluster) -> None:
    outcome = provide(cluster.client, REQUEST, NOW)
    assert "PRIVATE" not in repr(outcome)
    assert outcome.after["api-tls"] == "certificate of api.llm.example.com until 2027-02-21 12:00 UTC"
    assert "PRIVATE" not in repr(certificates.make_authority("x", NOW))


def test_an_authority_that_is_missing_beside_a_good_certificate_is_added(cluster: SecretCluster) -> None:
    provide(cluster.client, REQUEST, NOW)
    key = held(cluster, "api-tls", "tls.key")
    cluster.edit(("", "Secret", GATEWAY, "api-tls"), "somebody", {"data": {"ca.crt": None}})
    assert actions(provide(cluster.client, REQUEST, NOW)) == {"edge-authority": "kept", "api-tls": "completed"}
    assert held(cluster, "api-tls", "ca.crt") == held(cluster, "edge-authority", "tls.crt")
    assert held(cluster, "api-tls", "tls.key") == key


def test_a_secret_that_somebody_else_made_is_not_overwritten(cluster: SecretCluster) -> None:
    given(cluster, certificates.make_authority("theirs", NOW))
    with pytest.raises(CertificateError, match=r"gateway/api-tls was not made here"):
        provide(cluster.client, REQUEST, NOW)
    assert cluster.writes == []


def test_certificates_that_are_there_and_good_are_taken(cluster: SecretCluster) -> None:
    authority = certificates.make_authority("theirs", NOW)
    given(cluster, certificates.make_host("*.llm.example.com", authority, 30, NOW))
    outcome, warnings = judge(cluster.client, REQUEST, NOW)
    assert actions(outcome) == {"api-tls": "kept"}
    assert warnings == []
    assert "expires at 2026-12-23" in judge(cluster.client, REQUEST, days(25))[1][0]


def test_all_that_is_missing_is_named_at_once(cluster: SecretCluster) -> None:
    authority = certificates.make_authority("theirs", NOW)
    given(cluster, certificates.make_host("other.example.com", authority, 30, NOW), "other-tls")
    given(cluster, certificates.make_host("old.llm.example.com", authority, 30, NOW), "old-tls")
    mixed = certificates.make_host("mixed.llm.example.com", authority, 30, days(30))
    given(cluster, Pair(mixed.certificate, authority.key), "mixed-tls")
    given(cluster, Pair(b"no certificate", mixed.key), "broken-tls")
    hosts = [
        API,
        Host("wrong.llm.example.com", "other-tls"),
        Host("old.llm.example.com", "old-tls"),
        Host("mixed.llm.example.com", "mixed-tls"),
        Host("broken.llm.example.com", "broken-tls"),
    ]
    with pytest.raises(CertificateError) as caught:
        judge(cluster.client, Request(GATEWAY, hosts, "edge-authority", 90), days(29))
    text = str(caught.value)
    for part in (
        "gateway/api-tls does not exist",
        "other-tls is for other.example.com, not for wrong.llm.example.com",
        "mixed-tls holds a key that is not the certificate's",
        "broken-tls holds no certificate in PEM",
    ):
        assert part in text
    with pytest.raises(CertificateError, match="old-tls has expired at 2026-12-23"):
        judge(cluster.client, Request(GATEWAY, [hosts[2]], "edge-authority", 90), days(31))
