"""Formats of rows, in and out: told by the first rows, read as anytune's own, written as each backend wants them, with every loss said."""

from __future__ import annotations

from anytune.data.formats.conversion import Conversion, convert, prepare
from anytune.data.formats.losses import Loss
from anytune.data.formats.reading import Reading, read
from anytune.data.formats.registry import DIALECTS, FORMATS, Dialect, Format, detect, to

__all__ = ["DIALECTS", "FORMATS", "Conversion", "Dialect", "Format", "Loss", "Reading", "convert", "detect", "prepare", "read", "to"]
