# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The client of the package oras, with time limits, retries and plain passwords. Private to the collection."""

from __future__ import annotations

import typing as t

try:
    from oras.auth.token import TokenAuth
    from oras.container import Container
    from oras.provider import Registry
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry
except ImportError:
    TokenAuth = Registry = HTTPAdapter = object  # type: ignore[assignment, misc]
    Container = Retry = None  # type: ignore[assignment, misc]

AVAILABLE: t.Final = Container is not None
BUSY: t.Final = (429, 500, 502, 503, 504)


class _Auth(TokenAuth):  # type: ignore[misc]
    """Tokens, and passwords for registries that ask for nothing else, which oras leaves to another class."""

    def authenticate_request(
        self, original: t.Any, headers: dict[str, str], refresh: bool = False
    ) -> tuple[dict[str, str], bool]:
        if not original.headers.get("Www-Authenticate", "").lower().startswith("basic"):
            return t.cast("tuple[dict[str, str], bool]", super().authenticate_request(original, headers, refresh))
        basic = getattr(self, "_basic_auth", "")
        if not basic or "Authorization" in headers:
            return headers, False
        return {**headers, "Authorization": f"Basic {basic}"}, True


class _Client(Registry):  # type: ignore[misc]
    # Without its decorator, which sleeps two minutes for a host that is not there; the session retries already.
    do_request = getattr(getattr(Registry, "do_request", None), "__wrapped__", None)


class _TimedAdapter(HTTPAdapter):
    """Requests wait for ever unless every call says otherwise."""

    def __init__(self, timeout: float, retry: Retry) -> None:
        self._timeout = timeout
        super().__init__(max_retries=retry)

    def send(self, *args: t.Any, **options: t.Any) -> t.Any:
        options["timeout"] = options.get("timeout") or self._timeout
        return super().send(*args, **options)


def make_client(
    host: str, login: str, *, insecure: bool, ca_file: str, basic: str, timeout: float, retries: int
) -> t.Any:
    """A client for one repository; `login` is what Docker's configuration is searched for unless `basic` is given."""
    client = _Client(host, insecure=insecure, tls_verify=ca_file or True)
    auth = _Auth()
    auth.session, auth.prefix, auth._tls_verify = client.session, client.prefix, ca_file or True  # noqa: SLF001
    client.auth = auth
    retry = Retry(total=retries, backoff_factor=0.5, status_forcelist=BUSY, allowed_methods=("GET",))
    adapter = _TimedAdapter(timeout, retry)
    client.session.mount("https://", adapter)
    client.session.mount("http://", adapter)
    if basic:
        auth._basic_auth = basic  # noqa: SLF001 - its setter wants the parts
    else:
        auth.load_configs(Container(login))
    return client
