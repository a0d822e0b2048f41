from wordkit.count import count_words


def test_counts_in_lower_case() -> None:
    assert count_words("a b A") == {"a": 2, "b": 1}


def test_nothing_to_count() -> None:
    assert count_words("") == {}
