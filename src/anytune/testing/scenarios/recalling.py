"""B67-B69: what a job was made of is read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.errors import NotFound
from anytune.testing.scenarios.needs import needs
from anytune.testing.scenarios.observe import UNKNOWN_ID

if TYPE_CHECKING:
    from anytune.testing.kit import BackendKit


class Recalling:
    """recipe."""

    @needs("recipe")
    def test_b67_a_recipe_says_what_the_job_was_made_of(self, kit: BackendKit) -> None:
        """B67: `recipe` gives the job's model, method and files as they were ordered.

        What the order set is there by the same names; also through another instance. A succeeded job names what it made.
        """
        order, job = kit.submitted()
        model = kit.tuned()
        known = kit.backend.capabilities.settings | {"type"}
        wanted = {name: value for name, value in kit.method.items() if name in known}
        for backend in (kit.backend, kit.make()):
            told = backend.recipe(job.id)
            assert (told.id, told.model, told.tuned) == (job.id, order.model, model.id)
            assert {name: told.method.get(name) for name in wanted} == wanted
            assert told.files == {role: file.id for role, file in order.files.items()}

    @needs("recipe", "upload")
    def test_b68_a_downloaded_file_is_what_was_sent(self, kit: BackendKit) -> None:
        """B68: `download` gives the very bytes that were uploaded, with their hash and size.

        Whatever lay at the path before.
        """
        sent = kit.file("fetched.jsonl", rows=[*kit.rows, *kit.rows[::-1]])
        held, target = kit.uploaded(sent), kit.folder / "came.jsonl"
        target.write_bytes(b"of an earlier try, and longer than nothing")
        got = kit.backend.download(held.id, target)
        assert (got.id, got.sha256, got.size_bytes) == (held.id, sent.sha256, sent.size_bytes)
        assert target.read_bytes() == sent.path.read_bytes()

    @needs("recipe")
    def test_b69_what_is_not_held_is_not_found(self, kit: BackendKit) -> None:
        """B69: A job or a file that does not exist (any more) is `NotFound`.

        Core then asks for the rows: they are somewhere else.
        """
        for call in (lambda: kit.backend.recipe(UNKNOWN_ID), lambda: kit.backend.download(UNKNOWN_ID, kit.folder / "none.jsonl")):
            error = kit.refusal(call)
            assert isinstance(error, NotFound), repr(error)
