from __future__ import annotations

import diffs
import dishonest_python
import honest_python
import pytest

from ralph.domain import Verdict


@pytest.mark.parametrize("case", dishonest_python.CASES, ids=diffs.names(dishonest_python.CASES))
def test_what_proves_less_is_named(case: diffs.Case) -> None:
    result = diffs.judged(case)
    assert result.verdict.blocks, diffs.said(result)
    assert diffs.blocking(result) == tuple(sorted(case.rules)), diffs.said(result)


@pytest.mark.parametrize("case", honest_python.CASES, ids=diffs.names(honest_python.CASES))
def test_honest_work_passes(case: diffs.Case) -> None:
    result = diffs.judged(case)
    assert diffs.blocking(result) == (), diffs.said(result)
    assert result.verdict is Verdict.PASSED
