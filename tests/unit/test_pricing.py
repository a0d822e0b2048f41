import pytest

from ralph.agents import pricing
from ralph.config import Price
from ralph.domain import Usage

RAW = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 12527,
    "cache_read_input_tokens": 36758,
    "output_tokens": 186,
}


def test_equals_what_a_known_client_printed_for_the_same_usage() -> None:
    assert pricing.price("claude-opus-5-5", RAW, {}) == pytest.approx(0.0737546, abs=1e-12)


def test_a_usage_value_and_the_raw_object_cost_the_same() -> None:
    usage = Usage(input_tokens=12, cache_write_tokens=12527, cache_read_tokens=36758, output_tokens=186)
    assert pricing.price("claude-opus-5-5", usage, {}) == pricing.price("claude-opus-5-5", RAW, {})


def test_cache_kept_for_an_hour_costs_more() -> None:
    raw = {**RAW, "cache_creation": {"ephemeral_5m_input_tokens": 10000, "ephemeral_1h_input_tokens": 2527}}
    assert pricing.price("claude-opus-5-5", raw, {}) == pytest.approx(0.0813356, abs=1e-12)


def test_each_request_is_priced_by_itself() -> None:
    """Above a prompt of 100,000 tokens this model costs five times as much, so sums must not be priced."""
    small = pricing.price("claude-haiku-5-5", {"input_tokens": 60_000, "output_tokens": 0}, {})
    big = pricing.price("claude-haiku-5-5", {"input_tokens": 120_000, "output_tokens": 0}, {})
    assert small is not None and big is not None
    assert big == pytest.approx(10 * small)


@pytest.mark.parametrize("model", ["", "claude-nobody-9", "house-model"])
def test_an_unknown_price_is_none_and_never_zero(model: str) -> None:
    assert pricing.price(model, RAW, {}) is None
    assert pricing.estimate(model, 10, 10, {}) is None
    assert not pricing.known(model, {})


def test_own_prices_win_and_cache_defaults_to_the_input_price() -> None:
    own = {"house-model": Price(input=2, output=10), "claude-opus-5-5": Price(input=1, output=1, cache_read=0.5)}
    assert pricing.known("house-model", own)
    assert pricing.price("house-model", RAW, own) == pytest.approx((49297 * 2 + 186 * 10) / 1e6)
    assert pricing.price("claude-opus-5-5", RAW, own) == pytest.approx((12 + 12527 + 36758 * 0.5 + 186) / 1e6)


def test_an_estimate_is_never_below_the_price_of_what_it_allowed() -> None:
    allowed = pricing.estimate("claude-sonnet-5-5", 5000, 1000, {})
    real = pricing.price(
        "claude-sonnet-5-5", {"input_tokens": 1, "cache_read_input_tokens": 4999, "output_tokens": 999}, {}
    )
    assert allowed is not None and real is not None
    assert real < allowed == pytest.approx(5000 * 2e-6 + 1000 * 10e-6)


def test_foreign_numbers_do_not_lower_the_price() -> None:
    odd = {"input_tokens": 100, "output_tokens": -5, "cache_read_input_tokens": "many", "cache_creation": None}
    assert pricing.price("claude-sonnet-5-5", odd, {}) == pytest.approx(100 * 2e-6)


def test_a_usage_key_the_library_does_not_know_is_an_error() -> None:
    with pytest.raises(UserWarning, match="cache_raed_tokens"):
        pricing._listed("claude-sonnet-5-5", {"input_tokens": 1, "cache_raed_tokens": 5})
