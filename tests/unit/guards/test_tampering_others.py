from __future__ import annotations

import diffs
import other_languages
import pytest

from ralph.domain import Verdict


@pytest.mark.parametrize("case", other_languages.DISHONEST, ids=diffs.names(other_languages.DISHONEST))
def test_what_proves_less_is_named_in_other_languages(case: diffs.Case) -> None:
    result = diffs.judged(case)
    assert result.verdict.blocks, diffs.said(result)
    assert diffs.blocking(result) == tuple(sorted(case.rules)), diffs.said(result)


@pytest.mark.parametrize("case", other_languages.HONEST, ids=diffs.names(other_languages.HONEST))
def test_honest_work_passes_in_other_languages(case: diffs.Case) -> None:
    result = diffs.judged(case)
    assert diffs.blocking(result) == (), diffs.said(result)
    assert result.verdict is Verdict.PASSED
