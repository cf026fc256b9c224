# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Brings the certificates of hosts into Secrets, or judges those that are there. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils import _certificates as certificates
from ansible_collections.wmx.llm_platform.plugins.module_utils._certificates import CertificateError, Pair
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import LABEL_MANAGED_BY, PLATFORM, Ref
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_values import Secrets, value_of

if t.TYPE_CHECKING:
    import datetime as dt

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

TLS: t.Final = "kubernetes.io/tls"
CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"


@dataclass(frozen=True, slots=True)
class Host:
    """A name that clients know, and the Secret that shows it is theirs."""

    host: str
    secret: str


@dataclass(frozen=True, slots=True)
class Request:
    namespace: str
    hosts: t.Sequence[Host]
    authority: str
    days: int


@dataclass(slots=True)
class Outcome:
    """Names and dates only: keys stay in the cluster."""

    actions: list[dict[str, str]] = field(default_factory=list)
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return any(entry["action"] != "kept" for entry in self.actions)

    def note(self, secret: str, host: str, old: Pair | None, new: Pair, action: str) -> None:
        until = _until(new)
        self.actions.append({"secret": secret, "host": host, "action": action, "until": until})
        if action != "kept":
            if old:
                self.before[secret] = _described(old)
            self.after[secret] = _described(new)


def provide(client: KubeClient, request: Request, now: dt.datetime, *, dry_run: bool = False) -> Outcome:
    """An authority of ours and a certificate for each host, renewed before they expire."""
    certificates.demand_library()
    store, outcome = Secrets(client, [request.namespace]), Outcome()
    wanted = [request.authority, *(host.secret for host in request.hosts)]
    strangers = [name for name in wanted if _is_strange(store.live(_ref(request, name)))]
    if strangers:
        raise CertificateError(
            f"Secret {request.namespace}/{', '.join(strangers)} was not made here and would be overwritten; delete it,"
            " name another in edge_certificate.secrets, or set edge_certificate.source: provided"
        )
    authority = _authority(store, request, outcome, now, dry_run=dry_run)
    for host in request.hosts:
        old = _pair(store.live(_ref(request, host.secret)))
        reason = _host_fault(old, host, authority, now)
        pair = certificates.make_host(host.host, authority, request.days, now) if reason or not old else old
        action = "kept" if not reason else "renewed" if old else "made"
        held = value_of(store.live(_ref(request, host.secret)), AUTHORITY)
        if (action != "kept" or held != authority.certificate) and not dry_run:
            _put(store, request, host.secret, pair, authority.certificate)
        if action == "kept" and held != authority.certificate:
            action = "completed"
        outcome.note(host.secret, host.host, old, pair, action)
    return outcome


def judge(client: KubeClient, request: Request, now: dt.datetime) -> tuple[Outcome, list[str]]:
    """Certificates that somebody else brings, and warnings; CertificateError lists all that is missing or of no use."""
    certificates.demand_library()
    store, outcome = Secrets(client, [request.namespace]), Outcome()
    troubles: list[str] = []
    warnings: list[str] = []
    for host in request.hosts:
        secret = store.live(_ref(request, host.secret))
        pair, place = _pair(secret), f"Secret {request.namespace}/{host.secret}"
        if pair is None:
            what = "does not exist" if secret is None else f"lacks {CERTIFICATE} or {KEY}"
            troubles.append(f"{place} {what}")
        elif fault := certificates.pair_fault(pair, now):
            troubles.append(f"{place} {fault}")
        elif not certificates.covers(certificates.load(pair.certificate), host.host):
            names = ", ".join(certificates.names_of(certificates.load(pair.certificate))) or "no name"
            troubles.append(f"{place} is for {names}, not for {host.host}")
        else:
            outcome.note(host.secret, host.host, pair, pair, "kept")
            if certificates.is_old(certificates.load(pair.certificate), now):
                warnings.append(f"{place} expires at {_until(pair)}; renew it")
    if troubles:
        raise CertificateError(
            "\n".join(
                ["Certificates are missing, as Secrets of type kubernetes.io/tls; nothing was changed.", *troubles]
            )
        )
    return outcome, warnings


def _authority(store: Secrets, request: Request, outcome: Outcome, now: dt.datetime, *, dry_run: bool) -> Pair:
    old = _pair(store.live(_ref(request, request.authority)))
    if (
        old
        and not certificates.pair_fault(old, now)
        and not certificates.is_old(certificates.load(old.certificate), now)
    ):
        outcome.note(request.authority, "", old, old, "kept")
        return old
    new = certificates.make_authority(f"{PLATFORM} {request.namespace}", now)
    if not dry_run:
        _put(store, request, request.authority, new, new.certificate)
    outcome.note(request.authority, "", old, new, "renewed" if old else "made")
    return new


def _host_fault(pair: Pair | None, host: Host, authority: Pair, now: dt.datetime) -> str:
    if pair is None:
        return "it is not there"
    if fault := certificates.pair_fault(pair, now):
        return fault
    certificate = certificates.load(pair.certificate)
    if certificates.names_of(certificate) != [host.host]:
        return "it is for another host"
    if not certificates.is_signed_by(certificate, certificates.load(authority.certificate)):
        return "another authority has signed it"
    return "two thirds of its life have passed" if certificates.is_old(certificate, now) else ""


def _put(store: Secrets, request: Request, name: str, pair: Pair, authority: bytes) -> None:
    values = {CERTIFICATE: pair.certificate, KEY: pair.key, AUTHORITY: authority}
    store.put(_ref(request, name), values, kind=TLS)


def _ref(request: Request, name: str) -> Ref:
    return Ref("", "v1", "Secret", request.namespace, name)


def _pair(secret: Object | None) -> Pair | None:
    certificate, key = value_of(secret, CERTIFICATE), value_of(secret, KEY)
    return Pair(certificate, key) if certificate and key else None


def _is_strange(secret: Object | None) -> bool:
    if secret is None:
        return False
    return (secret["metadata"].get("labels") or {}).get(LABEL_MANAGED_BY) != PLATFORM


def _until(pair: Pair) -> str:
    try:
        return f"{certificates.load(pair.certificate).not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    except CertificateError:
        return "never"


def _described(pair: Pair) -> str:
    try:
        certificate = certificates.load(pair.certificate)
    except CertificateError as exc:
        return str(exc)
    names = ", ".join(certificates.names_of(certificate)) or "the authority"
    return f"certificate of {names} until {_until(pair)}"
