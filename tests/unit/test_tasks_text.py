"""Edits of a JSON text that leave the rest of it alone."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ralph.memory.task_text import position, respell, spell

TEXT = """{
  "version": 1,
    "note" :  [ 1,2 ],
  "tasks": [
    {"id": "a", "title": "A"},
    {
      "id": "b",
      "files": ["x",
                "y"]
    }
  ]
}
"""


def change(text: str, **rows: dict[str, object]) -> str:
    old = json.loads(text)
    new = json.loads(text)
    for row in new["tasks"]:
        row.update(rows.get(row["id"], {}))
    changed = respell(text, old, new)
    assert json.loads(changed) == new
    return changed


def test_nothing_changed_changes_nothing() -> None:
    assert change(TEXT) == TEXT


def test_only_the_changed_value_is_touched() -> None:
    first = change(TEXT, a={"status": "failed"}, b={"status": "pending", "result": {"commit": "c"}})
    assert '    {"id": "a", "title": "A", "status": "failed"},\n' in first
    assert '      "files": ["x",\n                "y"],\n      "status": "pending",\n' in first
    second = change(first, a={"status": "pending"})
    assert second == first.replace('"failed"', '"pending"')


def test_rows_are_appended_in_the_style_of_the_list() -> None:
    old = json.loads(TEXT)
    new = {**old, "tasks": [*old["tasks"], {"id": "c", "files": ["z"], "plan": "long"}]}
    tail = TEXT.removesuffix("\n  ]\n}\n")
    wanted = tail + ',\n    {\n      "id": "c",\n      "files": ["z"],\n      "plan": "long"\n    }\n  ]\n}\n'
    assert respell(TEXT, old, new) == wanted


def test_a_row_in_an_empty_list() -> None:
    text = '{"version": 1, "tasks": []}'
    new = {"version": 1, "tasks": [{"id": "c"}]}
    assert json.loads(respell(text, json.loads(text), new)) == new


def test_windows_line_ends_stay() -> None:
    text = TEXT.replace("\n", "\r\n")
    changed = change(text, b={"status": "pending", "result": {"commit": "c"}})
    assert changed.count("\n") == changed.count("\r\n") > text.count("\n")


def test_removed_keys_go() -> None:
    old = json.loads(TEXT)
    new = json.loads(TEXT)
    del new["tasks"][1]["files"]
    assert json.loads(respell(TEXT, old, new)) == new


def test_positions() -> None:
    assert position(TEXT, ("tasks", 1, "files", 1)) == (9, 17)
    assert position(TEXT, ("tasks", 1, "missing")) == (6, 5)
    assert position(TEXT, ("tasks", 9)) == (4, 3)
    assert position(TEXT, ("note", 1)) == (3, 19)
    assert position(TEXT, ()) == (1, 1)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), VALUES, max_size=4)
ROWS = st.lists(OBJECTS, max_size=4).map(lambda rows: [{"id": n, **row} for n, row in enumerate(rows)])


@given(old=ROWS, new=ROWS, more=OBJECTS, layout=st.sampled_from([None, 2, "\t", "one"]))
def test_any_change_says_what_was_wanted(
    old: list[dict[str, Any]], new: list[dict[str, Any]], more: dict[str, Any], layout: Any
) -> None:
    before = {"tasks": old, "x": 1}
    after = {"x": 1, **more, "tasks": new}
    text = spell(before) if layout == "one" else json.dumps(before, indent=layout, ensure_ascii=False)
    assert json.loads(respell(text, before, after)) == after
    assert respell(text, before, before) == text
