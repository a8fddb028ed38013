"""The conformance suite: every backend runs it, ours and everybody's.

```python
import pytest
from anytune.testing import BackendConformance, BackendKit
from anytune_mine import MyBackend

@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    kit = BackendKit(MyBackend, folder=tmp_path_factory.mktemp("kit"), model="base")
    yield kit
    kit.close()

class TestMyBackend(BackendConformance):
    pass
```

docs/reference/backend-contract.md numbers the scenarios; the tests carry the numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from anytune.testing.scenarios.before import Before
from anytune.testing.scenarios.control import Control
from anytune.testing.scenarios.create import Create
from anytune.testing.scenarios.files import Files
from anytune.testing.scenarios.hosting import Hosting
from anytune.testing.scenarios.identity import Identity
from anytune.testing.scenarios.listings import Listings
from anytune.testing.scenarios.many import Many
from anytune.testing.scenarios.models import Models
from anytune.testing.scenarios.needs import needed
from anytune.testing.scenarios.observe import Observe
from anytune.testing.scenarios.publishing import Publishing
from anytune.testing.scenarios.ready import Ready
from anytune.testing.scenarios.recalling import Recalling
from anytune.testing.scenarios.refusals import Refusals
from anytune.testing.scenarios.rows import Rows
from anytune.testing.scenarios.sharing import Sharing
from anytune.testing.scenarios.surroundings import Surroundings
from anytune.testing.scenarios.tell import Tell

if TYPE_CHECKING:
    from anytune.testing.kit import BackendKit

__all__ = ["BackendConformance"]


class BackendConformance(
    Rows,
    Models,
    Publishing,
    Listings,
    Sharing,
    Hosting,
    Refusals,
    Ready,
    Files,
    Many,
    Recalling,
    Control,
    Tell,
    Observe,
    Create,
    Surroundings,
    Before,
    Identity,
):
    """Subclass it as `Test…` where a fixture `kit` gives a `BackendKit`.

    Pytest runs the bases from the last one to the first, so that what needs the model comes before the scenario that deletes it.
    """

    @pytest.fixture(autouse=True)
    def _declared(self, request: pytest.FixtureRequest, kit: BackendKit) -> None:
        """Leave out what is not declared; B33 checks that it is refused."""
        missing = [ability for ability in needed(request.function) if not kit.can(ability)]
        if missing:
            pytest.skip(f"It does not declare {', '.join(missing)}; B33 checks that this is refused.")
