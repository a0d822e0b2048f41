"""Count words."""


def count_words(text: str) -> dict[str, int]:
    """How often each word occurs, in lower case."""
    counts: dict[str, int] = {}
    for word in text.lower().split():
        counts[word] = text.lower().split().count(word)
    return counts
