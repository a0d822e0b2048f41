"""What model calls cost, and how long an account has to wait."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more model calls. ``dollars`` is None while the price is unknown, never 0 for that."""

    input_tokens: int = 0
    """Uncached input only."""
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    dollars: float | None = 0.0
    reported_dollars: float | None = None
    """What the agent itself said it cost."""
    calls: int = 0
    estimated: bool = False
    """The provider gave no usage; counted from bytes."""

    @property
    def counted(self) -> int:
        """Tokens that limits count: uncached input, cache writes and output."""
        return self.input_tokens + self.cache_write_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            dollars=None if self.dollars is None or other.dollars is None else self.dollars + other.dollars,
            reported_dollars=_add(self.reported_dollars, other.reported_dollars),
            calls=self.calls + other.calls,
            estimated=self.estimated or other.estimated,
        )


def _add(left: float | None, right: float | None) -> float | None:
    if left is None or right is None:
        return left if right is None else right
    return left + right


@dataclass(frozen=True, slots=True)
class Wait:
    """An account must pause. ``until`` is epoch seconds; ``halt`` means: not before a person acts."""

    until: float
    reason: str
    halt: bool = False
    guessed: bool = False
    """Nobody said until when: a repeated wait gets longer (``agents.waits.stretched``)."""
