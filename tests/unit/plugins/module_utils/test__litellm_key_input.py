# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a key may be declared as, and what is refused before anything is asked."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import LiteLLMError
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_fields import moment, seconds, text
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_input import Key, read_keys
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.litellm_keys import entry

Row = dict[str, t.Any]


def read(*entries: Row, longest: str | None = None) -> list[Key]:
    return read_keys(
        {"environment": "prod", "keys": list(entries), "max_lifetime": longest, "allowed_routes": ["/v1/models"]}
    )[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"expires": None}, r"keys\[0\].expires = None: is missing; give a duration like 30d, a date, or `never`"),
        ({"expires": "soon"}, "is neither duration nor date"),
        ({"expires": "30x"}, "is neither duration nor date"),
        ({"expires": "1.5d"}, "is no duration"),
        ({"budget_usd": 0.0}, "is no budget"),
        ({"budget_usd": float("inf")}, "is no budget"),
        ({"budget_usd": None}, r"budget_period = '30d': goes with budget_usd; give both or neither"),
        ({"budget_period": None}, "give both or neither"),
        ({"budget_period": "1 month"}, "is no period"),
        ({"rpm": 0}, r"keys\[0\].rpm = 0: is no limit"),
        ({"tpm": -5}, "is no limit"),
        ({"parallel": None}, "is missing, which LiteLLM takes for unlimited; give a number, or name parallel"),
        ({"parallel": 4, "unlimited": ["parallel"]}, "is also unlimited"),
        ({"models": ["*"]}, "is not one model"),
        ({"models": ["all-team-models"]}, "is not one model"),
        ({"models": [""]}, "is not one model"),
        ({"name": "My Key"}, "is no DNS label"),
        ({"name": "a/../b"}, "is no DNS label"),
        ({"rotation": {"overlap_seconds": -1}}, "is negative"),
        ({"rotation": {"after": "soon"}}, "is no duration"),
        ({"rotation": {"after": "30d"}, "expires": "30d"}, "is not before the key expires"),
    ],
    ids=str,
)
def test_what_would_be_unlimited_or_unclear_is_refused(given: Row, said: str) -> None:
    with pytest.raises(LiteLLMError, match=said):
        read(entry(**given))


@pytest.mark.parametrize(("expires", "fine"), [("30d", True), ("31d", False), ("never", False), ("720h", True)])
def test_no_key_may_be_declared_to_outlive_the_policy(expires: str, *, fine: bool) -> None:
    if fine:
        assert read(entry(expires=expires), longest="30d")
        return
    with pytest.raises(LiteLLMError, match="outlives max_lifetime"):
        read(entry(expires=expires), longest="30d")


def test_a_policy_that_is_no_duration_is_refused() -> None:
    with pytest.raises(LiteLLMError, match="max_lifetime = 'forever'"):
        read(entry(), longest="forever")


def test_two_keys_of_one_name_or_one_secret_are_refused() -> None:
    with pytest.raises(LiteLLMError, match=r"keys\[1\].name = 'app': is also keys\[0\]"):
        read(entry(), entry())
    with pytest.raises(LiteLLMError, match=r"keys\[1\].secret = 'tenant-acme/llm-key-app': is also that of keys\[0\]"):
        read(entry(), entry("b", secret={"namespace": "tenant-acme", "name": "llm-key-app"}))


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(LiteLLMError) as caught:
        read(entry(rpm=0), entry("b", expires=None))
    assert "keys[0].rpm" in str(caught.value)
    assert "keys[1].expires" in str(caught.value)


def test_a_key_that_shall_go_needs_nothing_but_its_name() -> None:
    nothing: Row = {"expires": None, "parallel": None, "budget_usd": None, "budget_period": None}
    keys = read(entry(state="absent", **nothing), entry("b", state="revoked", **nothing))
    assert [key.lives for key in keys] == [False, False]
    assert keys[0].place == ("tenant-acme", "llm-key-app")


@pytest.mark.parametrize(
    ("given", "after", "at"),
    [
        ("30d", timedelta(days=30), None),
        ("90s", timedelta(seconds=90), None),
        ("2027-01-31", None, datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00:00+02:00", None, datetime(2027, 1, 31, 10, tzinfo=UTC)),
        ("never", None, None),
    ],
)
def test_an_end_is_a_duration_a_date_or_never(given: str, after: timedelta | None, at: datetime | None) -> None:
    expiry = read(entry(expires=given))[0].expiry
    assert (expiry.after, expiry.at) == (after, at)


def test_limits_may_be_left_to_the_team_but_for_parallel_requests() -> None:
    wanted = read(entry(budget_usd=None, budget_period=None, rpm=None, parallel=None, unlimited=["parallel"]))[0].wanted
    assert wanted["max_budget"] is wanted["rpm_limit"] is wanted["max_parallel_requests"] is None


@pytest.mark.parametrize(
    ("given", "found"), [("90s", 90), ("15m", 900), ("12h", 43200), ("1d", 86400), ("2w", 1209600)]
)
def test_durations_are_read(given: str, found: int) -> None:
    assert seconds(given) == found


@pytest.mark.parametrize("given", ["", "d", "1", "-1d", "1mo", "1 d", "1e3s", "\u0661d"])
def test_what_is_no_duration_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        seconds(given)


def test_dates_without_a_zone_are_utc() -> None:
    assert moment("2026-11-23T12:00:00") == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert text(moment("2026-11-23T12:00:00.5Z")) == "2026-11-23T12:00:00Z"
    assert (moment(None), moment(""), text(None)) == (None, None, None)
