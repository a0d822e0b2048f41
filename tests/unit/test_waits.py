from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.agents.waits import (
    clamp,
    fallback,
    from_rate_limit_event,
    from_tail,
    from_text,
    shortly,
    stretched,
)
from ralph.domain import Wait

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 23, 30, tzinfo=BERLIN)
"""A Friday night, 22:30 UTC."""


def until(text: str, now: datetime = NOW, zone=BERLIN) -> str:
    """The end of the wait as local wall time, or what else came of it."""
    wait = from_text(text, now, zone)
    if wait is None:
        return "no limit"
    if wait.halt:
        return "halt"
    if wait.guessed:
        return f"guess {wait.until - now.timestamp():g}"
    return datetime.fromtimestamp(wait.until, zone).strftime("%m-%d %H:%M")


SAID = [
    ("You've hit your limit · resets 3am", "11-21 03:00"),
    ("You’ve hit your limit · resets 3am", "11-21 03:00"),
    ("You've hit your limit - resets 3am (UTC)", "11-21 04:00"),
    ("You've hit your limit · resets 11:45pm", "11-20 23:45"),
    ("You've hit your session limit · resets 4:30am (Asia/Calcutta)", "11-21 00:00"),
    ("You've hit your 5-hour limit · resets 12am (UTC)", "11-21 01:00"),
    ("You've hit your Opus limit · resets 2am", "11-21 02:00"),
    ("5-hour limit reached ∙ resets 2am", "11-21 02:00"),
    ("5-hour limit reached ∙ resets 2am\n     /upgrade to increase your usage limit.", "11-21 02:00"),
    ("Session limit reached ∙ resets 5:00\u202fAM", "11-21 05:00"),
    ("Session limit reached ∙ resets 5:00 AM", "11-21 05:00"),
    ("Claude usage limit reached. Your limit will reset at 9pm (America/Chicago).", "11-21 04:00"),
    ("Claude usage limit reached. Your limit will reset at 4am.", "11-21 04:00"),
    ("Claude AI usage limit reached|1795226400", "11-21 03:00"),
    ("Claude AI usage limit reached|1795226400000", "11-21 03:00"),
    ("You're out of extra usage · resets 5am (Europe/Berlin)", "11-21 05:00"),
    ("You’re out of extra usage · resets 8pm (America/New_York)", "11-21 02:00"),
    ("You've hit your weekly limit · resets Nov 24 at 5am", "11-24 05:00"),
    ("You've hit your weekly limit · resets Nov 24, 5am (UTC)", "11-24 06:00"),
    ("Weekly limit reached ∙ resets Mon 9am", "11-23 09:00"),
    ("Weekly limit reached ∙ resets Monday at 9:00", "11-23 09:00"),
    ("Opus weekly limit reached ∙ resets tomorrow at 7pm", "11-21 19:00"),
    ("You've reached your weekly usage limit. It resets on 24 November at 17:00.", "11-24 17:00"),
    ("You've hit your usage limit. Upgrade to Pro (https://x.example/pricing) or try again at 4:00 AM.", "11-21 04:00"),
    ("You’ve hit your usage limit. Buy more credits or try again at Nov 22nd, 2026 3:14 PM.", "11-22 15:14"),
    ("You've hit your usage limit. Try again in 1 day 2 hours 5 minutes.", "11-22 01:35"),
    ("You've hit your usage limit. Try again in 2 hours 5 minutes.", "11-21 01:35"),
    ("You have exhausted your capacity on this model. Your quota will reset after 2h15m10s.", "11-21 01:45"),
    ("You've hit your limit, resets 2026-11-21T02:00:00Z", "11-21 03:00"),
    ("You've hit your limit, resets at 04:00 UTC+2", "11-21 03:00"),
    ("You've hit your limit · resets 5pm PST", "11-21 02:00"),
    ("\x1b[31mYou've hit your limit · resets 3am\x1b[0m", "11-21 03:00"),
    ("You've hit your limit · resets midnight", "11-21 00:00"),
    ("You've hit your limit · resets 3am (Mars/Olympus)", "11-21 03:00"),
    # hours further away than a five-hour window can be are cut to six hours
    ("You've hit your limit · resets 3pm", "11-21 05:30"),
    ("You've hit your weekly limit · resets Dec 25 at 9am", "11-28 23:30"),
    # limits without a time are guesses
    ("You've hit your usage limit.", "guess 1800"),
    ("You've hit your limit · resets 27am", "guess 1800"),
    ("5-hour limit reached", "guess 1800"),
    ("API Error: Request rejected (429) · This request would exceed your account's rate limit.", "guess 60"),
    ("exceeded retry limit, last status: 429 Too Many Requests", "guess 60"),
    ("Rate limit reached for gpt-6 in organization org-1 on tokens per min. Please try again in 20s.", "11-20 23:31"),
    # money and keys need a person
    ("Credit balance is too low", "halt"),
    ("You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.", "halt"),
    ("You've hit your monthly spend limit", "halt"),
    ("Invalid API key · Fix external API key", "halt"),
    ("Not logged in · Please run /login", "halt"),
    ("Quota exceeded. Check your plan and billing details.", "halt"),
    # and these are none
    ("Approaching usage limit · resets at 3am", "no limit"),
    ("You are close to your weekly limit", "no limit"),
    ("We wait until you've hit your limit", "no limit"),
    ("The request limit of the API is now configurable", "no limit"),
    ("The counter resets 3am (UTC) every day", "no limit"),
    ("rate limiting was added; retry after 3 attempts", "no limit"),
    ("", "no limit"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SAID)
def test_messages(text, expected):
    assert until(text) == expected


def test_the_reason_is_the_message():
    wait = from_text("x\nError: You’ve hit your limit · resets 3am\nmore", NOW, BERLIN)
    assert wait.reason == "You've hit your limit · resets 3am"


@pytest.mark.parametrize(
    ("now", "text", "expected"),
    [
        # clocks go forward at 02:00 on 2026-03-29: 02:30 does not exist and becomes 03:30
        (datetime(2026, 3, 29, 0, 30, tzinfo=BERLIN), "resets 2:30am", "2026-03-29T01:30:00+00:00"),
        (datetime(2026, 3, 28, 23, 0, tzinfo=BERLIN), "resets 4am", "2026-03-29T02:00:00+00:00"),
        # clocks go back at 03:00 on 2026-10-25: 02:30 happens twice
        (datetime(2026, 10, 25, 0, 30, tzinfo=BERLIN), "resets 2:30am", "2026-10-25T00:30:00+00:00"),
        (datetime(2026, 10, 25, 0, 50, tzinfo=UTC), "resets 2:30am", "2026-10-25T01:30:00+00:00"),
        (datetime(2026, 10, 25, 0, 30, tzinfo=BERLIN), "resets 4am", "2026-10-25T03:00:00+00:00"),
    ],
)
def test_hours_on_nights_when_the_clocks_change(now, text, expected):
    wait = from_text(f"You've hit your limit · {text}", now, BERLIN)
    assert datetime.fromtimestamp(wait.until, UTC).isoformat() == expected


def test_an_hour_that_has_just_passed_means_now_not_tomorrow():
    now = datetime(2026, 11, 21, 3, 4, tzinfo=BERLIN)
    assert from_text("You've hit your limit · resets 3am", now, BERLIN).until == now.timestamp() + 60
    later = datetime(2026, 11, 21, 3, 20, tzinfo=BERLIN)
    assert from_text("You've hit your limit · resets 3am", later, BERLIN).until == later.timestamp() + 6 * 3600


def test_a_date_without_a_year_is_the_next_one():
    now = datetime(2026, 12, 30, 22, 0, tzinfo=BERLIN)
    assert until("Weekly limit reached ∙ resets Jan 2 at 5am", now) == "01-02 05:00"
    assert until("Weekly limit reached ∙ resets Dec 31 at 5am", now) == "12-31 05:00"


def test_without_a_zone_the_machines_clock_counts(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        now = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
        wait = from_text("You've hit your limit · resets 7pm", now)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert wait.until == datetime(2026, 11, 21, 0, 0, tzinfo=UTC).timestamp()


@given(st.integers(1, 12), st.integers(0, 59), st.sampled_from("ap"), st.integers(0, 10**9))
def test_a_wait_is_always_between_a_minute_and_six_hours(hour, minute, half, offset):
    now = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=offset)
    wait = from_text(f"You've hit your limit · resets {hour}:{minute:02}{half}m (Europe/Berlin)", now)
    assert now.timestamp() + 60 <= wait.until <= now.timestamp() + 6 * 3600


@given(st.text(max_size=200), st.sampled_from(["", "You've hit your limit · resets ", "limit reached|"]))
def test_no_text_breaks_it(text, before):
    wait = from_text(before + text, NOW, BERLIN)
    assert wait is None or wait.halt or NOW.timestamp() + 20 <= wait.until <= NOW.timestamp() + 8 * 86_400
    from_tail(before + text, 1, NOW, BERLIN)


def event(**info):
    return {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "rateLimitType": "five_hour", **info}}


def test_events_with_a_reset_time():
    at = NOW.timestamp() + 3600
    assert from_rate_limit_event(event(resetsAt=at), NOW) == Wait(at, "five hour limit reached")
    assert from_rate_limit_event(event(resetsAt=at * 1000), NOW).until == at
    assert from_rate_limit_event(event(resetsAt=at), NOW, jitter=7).until == at + 7
    week = from_rate_limit_event(event(resetsAt=NOW.timestamp() + 3 * 86_400, rateLimitType="seven_day_opus"), NOW)
    assert week.until == NOW.timestamp() + 3 * 86_400


@pytest.mark.parametrize("odd", [None, "soon", -1, True, 1e300])
def test_events_without_a_usable_time_are_guesses(odd):
    wait = from_rate_limit_event(event(resetsAt=odd), NOW)
    assert wait.guessed
    assert wait.until == NOW.timestamp() + 1800


@pytest.mark.parametrize(
    "info",
    [{"status": "allowed"}, {"status": "allowed_warning"}, {"isUsingOverage": True}, {"overageStatus": "allowed"}],
)
def test_events_that_let_requests_through_are_no_wait(info):
    assert from_rate_limit_event(event(resetsAt=NOW.timestamp(), **info), NOW) is None
    assert from_rate_limit_event({"rate_limit_info": 3}, NOW) is None


def test_clamp_and_fallback():
    now = NOW.timestamp()
    assert clamp(now - 5, NOW) == now + 60
    assert clamp(now + 9 * 3600, NOW) == now + 6 * 3600
    assert clamp(now + 9 * 86_400, NOW, weekly=True) == now + 8 * 86_400
    assert [fallback(n, NOW) - now for n in (0, 1, 2, 3, 4, 99)] == [1800, 1800, 3600, 7200, 14_400, 14_400]
    assert fallback(1, NOW, jitter=30) - now == 1830


def test_only_guesses_are_stretched():
    now = NOW.timestamp()
    stated = Wait(now + 100, "x")
    assert stretched(stated, 5, NOW) == stated
    down = shortly("529", NOW)
    assert [stretched(down, n, NOW).until - now for n in (1, 2, 3, 20)] == [60, 120, 240, 14_400]


LIMIT = "You've hit your limit · resets 3am"
NOISE = "\n".join(f"working on step {n}" for n in range(200))


@pytest.mark.parametrize(
    ("output", "exit_code"),
    [
        (LIMIT, 0),
        (LIMIT, 1),
        (f"{LIMIT}\n", 0),
        (f"starting\n\n{LIMIT}\n\n", 0),
        (f"Error: {LIMIT}", 1),
        (f"[agent] ⚠ {LIMIT}", 1),
        (f"claude: API Error: {LIMIT}", 1),
        (f"{NOISE}\n{LIMIT}\ncleaning up", 1),
        (f"{NOISE}\n{LIMIT}", None),
        ("5-hour limit reached ∙\nresets 3am", 1),
    ],
)
def test_a_program_that_stopped_for_a_limit(output, exit_code):
    assert from_tail(output, exit_code, NOW, BERLIN) is not None


@pytest.mark.parametrize(
    ("output", "exit_code"),
    [
        (f"{LIMIT}\nDone, all tests pass.", 0),
        (f"{NOISE}\n{LIMIT}", 0),
        (f"{LIMIT}\n{NOISE}", 1),
        (f'I made it print "{LIMIT}"', 1),
        (f'"{LIMIT}"', 1),
        (f"`{LIMIT}`", 1),
        (f"+ {LIMIT}", 1),
        (f"> {LIMIT}", 1),
        (f"- {LIMIT}", 1),
        (f"assert text == '{LIMIT}'", 1),
        (f"The message {LIMIT} is parsed now.", 0),
        ("<promise>COMPLETE</promise>", 0),
        ("Credit balance is too low", 0),
        ("test_invalid_key: Invalid API key", 1),
        ("", 1),
    ],
)
def test_a_program_that_only_talks_about_limits(output, exit_code):
    assert from_tail(output, exit_code, NOW, BERLIN) is None


def test_a_failed_program_may_say_that_its_account_needs_a_person():
    assert from_tail("Credit balance is too low", 1, NOW, BERLIN).halt


def test_a_time_on_the_line_after_counts():
    wait = from_tail("5-hour limit reached ∙\nresets 3am", 1, NOW, BERLIN)
    assert datetime.fromtimestamp(wait.until, BERLIN).hour == 3
