"""The sections of the page, found from the files of this folder: each has its `SECTION`."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from elman.inspection.section import Section


@functools.cache
def sections() -> tuple[Section, ...]:
    """All of them, in the order of the page."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found = [importlib.import_module(f"{__name__}.{name}").SECTION for name in modules]
    return tuple(sorted(found, key=lambda section: (section.order, section.name)))
