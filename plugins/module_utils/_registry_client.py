# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The client of the package oras, with time limits, retries and plain passwords. Private to the collection."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

from ansible.module_utils.basic import missing_required_lib

try:
    import requests
    from oras.auth.token import TokenAuth
    from oras.container import Container
    from oras.provider import Registry
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry
except ImportError:
    TokenAuth = Registry = HTTPAdapter = object  # type: ignore[assignment, misc]
    Container = Retry = requests = None  # type: ignore[assignment, misc]

AVAILABLE: t.Final = Container is not None
BUSY: t.Final = (429, 500, 502, 503, 504)


class HttpError(Exception):
    """A server that could not be asked; the message names its host."""


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
    _prepare(client.session, timeout, retries)
    if basic:
        auth._basic_auth = basic  # noqa: SLF001 - its setter wants the parts
    else:
        # oras knows the file in the home folder alone.
        if os.environ.get("DOCKER_CONFIG"):
            auth._auth_config = _docker_config(Path(os.environ["DOCKER_CONFIG"]) / "config.json")  # noqa: SLF001
        auth.load_configs(Container(login))
    return client


def _docker_config(path: Path) -> dict[str, t.Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        config = {}
    except (OSError, ValueError) as exc:
        raise HttpError(f"Docker's configuration {path} cannot be read: {exc}") from exc
    parts: dict[str, t.Any] = {"auths": {}, "credsStore": None, "credHelpers": {}}
    return {key: config.get(key, default) for key, default in parts.items()}


def _prepare(session: t.Any, timeout: float, retries: int) -> None:
    # Whatever is wrong besides, such as a certificate, is so the next time too.
    retry = Retry(total=retries, other=0, backoff_factor=0.5, status_forcelist=BUSY, allowed_methods=("GET",))
    adapter = _TimedAdapter(timeout, retry)
    session.mount("https://", adapter)
    session.mount("http://", adapter)


def get(
    url: str, *, headers: dict[str, str] | None = None, ca_file: str = "", timeout: float = 15.0, retries: int = 4
) -> t.Any:
    """One GET with the same time limit and retries, of servers that are no registry; any status is an answer."""
    if requests is None:
        raise HttpError(missing_required_lib("oras"))
    host = url.partition("://")[2].partition("/")[0]
    with requests.Session() as session:
        _prepare(session, timeout, retries)
        try:
            return session.get(url, headers=headers, verify=ca_file or True)
        except requests.exceptions.SSLError as exc:
            raise HttpError(f"the certificate of {host} is refused: {reason_of(exc)}") from exc
        except requests.exceptions.RetryError as exc:
            raise HttpError(f"{host} stays busy (429 or 5xx); try again later") from exc
        except requests.exceptions.RequestException as exc:
            raise HttpError(f"{host} cannot be reached: {reason_of(exc)}") from exc


def reason_of(exc: Exception) -> str:
    """What an exception that wraps others has at its bottom."""
    found: t.Any = exc
    while inner := [item for item in (*found.args[:1], getattr(found, "reason", None)) if isinstance(item, Exception)]:
        found = inner[0]
    return str(getattr(found, "verify_message", None) or found)
