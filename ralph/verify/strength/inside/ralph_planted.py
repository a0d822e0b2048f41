"""Puts another text in the place of one source file, for one process and what it starts."""

from __future__ import annotations

import importlib.machinery
import os
import types


def plant(place: str, name: str) -> None:
    """Have the module whose source is the file ``place`` be compiled from the file ``name``."""
    with open(name, "rb") as file:
        text = file.read()
    loader = importlib.machinery.SourceFileLoader
    whole = loader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> types.CodeType | None:
        path = self.get_filename(fullname)
        if os.path.realpath(path) == place:
            return compile(text, path, "exec", dont_inherit=True)
        return whole(self, fullname)

    loader.get_code = get_code  # type: ignore[method-assign, assignment]
