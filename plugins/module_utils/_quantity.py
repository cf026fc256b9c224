# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads Kubernetes quantities such as 500m, 2 or 4Gi. Private to the collection."""

from __future__ import annotations

import re
from decimal import Decimal

_FACTORS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}
_QUANTITY = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|)", re.ASCII)
# The API server writes large and tiny amounts this way too.
_EXPONENT = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)[eE]([+-]?\d{1,2})", re.ASCII)


class QuantityError(Exception):
    """The text is no quantity."""


def parse_quantity(text: str) -> Decimal:
    """The amount in base units (cores, bytes, pieces)."""
    plain = _QUANTITY.fullmatch(text)
    if plain:
        return Decimal(plain[1]) * _FACTORS[plain[2]]
    exponent = _EXPONENT.fullmatch(text)
    if exponent:
        return Decimal(exponent[1]).scaleb(int(exponent[2]))
    raise QuantityError("is no Kubernetes quantity")
