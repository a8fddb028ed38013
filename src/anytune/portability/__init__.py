"""What moves from one backend to another, and what is lost: from their capabilities alone, without a network.

`python -m anytune.portability docs/reference/portability.md` makes the page anew; `anytune backends compare A B` shows two.
"""

from __future__ import annotations

from anytune.portability.moves import Move, move
from anytune.portability.places import Place, named, places

__all__ = ["Move", "Place", "move", "named", "places"]
