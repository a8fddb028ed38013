"""Make the tables of a page anew: `python -m anytune.portability docs/reference/portability.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from anytune.portability.page import renewed
from anytune.portability.places import places

if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(renewed(target.read_text(encoding="utf-8"), places()), encoding="utf-8")
