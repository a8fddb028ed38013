"""B48-B50: uploaded files become ready."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from anytune.backend import Backend, RemoteFile
from anytune.errors import NotFound, Rejected
from anytune.retry import translated
from anytune.testing.scenarios.needs import needs
from anytune.testing.scenarios.observe import UNKNOWN_ID

if TYPE_CHECKING:
    from anytune.errors import AnytuneError
    from anytune.testing.kit import BackendKit


class Ready:
    """file_ready."""

    @needs("upload")
    def test_b48_an_uploaded_file_becomes_ready(self, kit: BackendKit) -> None:
        """B48: An uploaded file becomes ready, and stays so.

        Another instance says the same, as the next process will ask it.
        """
        held = kit.uploaded(kit.file())
        assert kit.backend.file_ready(held) is True
        assert kit.make().file_ready(held) is True

    @needs("upload")
    def test_b49_an_unknown_file_is_not_found(self, kit: BackendKit) -> None:
        """B49: A file that the provider does not hold is `NotFound`.

        Core sends it again. Left out where `file_ready` is inherited: such files are ready at once.
        """
        if type(kit.backend).file_ready is Backend.file_ready:
            pytest.skip("It inherits `file_ready`.")
        gone = RemoteFile(id=UNKNOWN_ID, sha256="0" * 64, size_bytes=1)
        error = kit.refusal(lambda: kit.backend.file_ready(gone))
        assert isinstance(error, NotFound), repr(error)

    @needs("upload")
    def test_b50_a_refused_file_is_rejected(self, kit: BackendKit) -> None:
        """B50: A file that the provider looked at and refused is `Rejected`.

        Never ready, and not waited for. The kit's `refused` gives one.
        """
        if kit.refused is None:
            pytest.skip("The kit has no file that is refused.")
        error = _end(kit, kit.refused())
        assert isinstance(error, Rejected), repr(error)
        assert error.backend == kit.backend.name


def _end(kit: BackendKit, file: RemoteFile) -> AnytuneError:
    """Look at a file until there is an error.

    Raises:
        AssertionError: There was none within `timeout_s`, or the file became ready.
    """
    deadline = time.monotonic() + kit.timeout_s
    while time.monotonic() < deadline:
        try:
            ready = kit.backend.file_ready(file)
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is translated, as core does
            return translated(error, kit.backend)
        assert not ready, "A file that was refused is ready."
        kit.drive()
    raise AssertionError(f"The refused file is still waited for after {kit.timeout_s} s.")
