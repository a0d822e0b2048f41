"""What a model call costs in US dollars: the price table of genai-prices, with the user's own prices over it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from ralph.config import Price
from ralph.domain import Usage

MILLION = 1_000_000


def price(model: str, usage: Usage | Mapping[str, Any], overrides: Mapping[str, Price]) -> float | None:
    """Price of **one** request in US dollars, None for an unknown model (never 0 for that).

    ``usage`` is a Usage or the raw ``usage`` object of a Messages API answer, whose ``input_tokens`` are the
    uncached ones. Price each request by itself and add: some models cost more above a prompt size.
    """
    fresh, write, read, output, hour = _tokens(usage)
    if own := overrides.get(model):
        return (
            fresh * own.input
            + write * (own.cache_write or own.input)
            + read * (own.cache_read or own.input)
            + output * own.output
        ) / MILLION
    counts = {
        "input_tokens": fresh + write + read,
        "cache_write_tokens": write,
        "cache_read_tokens": read,
        "output_tokens": output,
    }
    if hour:
        counts["cache_write_1h_tokens"] = hour
    return _listed(model, counts)


def estimate(model: str, input_tokens: int, max_tokens: int, overrides: Mapping[str, Price]) -> float | None:
    """Most that a call may cost at list price: all input uncached, all of ``max_tokens`` used. None if unknown."""
    return price(model, Usage(input_tokens=input_tokens, output_tokens=max_tokens), overrides)


def known(model: str, overrides: Mapping[str, Price]) -> bool:
    """Whether calls of this model can be priced."""
    return estimate(model, 1, 1, overrides) is not None


def _tokens(usage: Usage | Mapping[str, Any]) -> tuple[int, int, int, int, int]:
    """(uncached input, cache writes, cache reads, output, writes kept for an hour)."""
    if isinstance(usage, Usage):
        return usage.input_tokens, usage.cache_write_tokens, usage.cache_read_tokens, usage.output_tokens, 0
    write = _count(usage, "cache_creation_input_tokens")
    detail = usage.get("cache_creation")
    hour = _count(detail, "ephemeral_1h_input_tokens") if isinstance(detail, Mapping) else 0
    return (
        _count(usage, "input_tokens"),
        write,
        _count(usage, "cache_read_input_tokens"),
        _count(usage, "output_tokens"),
        min(hour, write),
    )


def _count(data: Mapping[str, Any], key: str) -> int:
    """A token count out of foreign data: whatever is no positive number counts as 0."""
    value = data.get(key)
    return max(0, value) if isinstance(value, int) else 0


def _listed(model: str, counts: Mapping[str, int]) -> float | None:
    from genai_prices import Usage as Counts
    from genai_prices import calc_price

    provider = "anthropic" if model.startswith("claude") else None
    with warnings.catch_warnings():
        # The library only warns about a usage key it does not know and then leaves it out of the price.
        warnings.simplefilter("error")
        try:
            return float(calc_price(Counts(**counts), model_ref=model, provider_id=provider).total_price)
        except LookupError:
            return None
