"""B29-B31: files go up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.testing.scenarios.needs import needs

if TYPE_CHECKING:
    from anytune.testing.kit import BackendKit


class Files:
    """upload and find_file."""

    @needs("upload")
    def test_b29_an_upload_is_known_by_its_content(self, kit: BackendKit) -> None:
        """B29: An uploaded file has an id, and the hash and size of its bytes.

        The same bytes under another name have the same hash.
        """
        file, twin = kit.file("one.jsonl"), kit.file("two.jsonl")
        for given in (file, twin):
            held = kit.backend.upload(given)
            assert held.id
            assert (held.sha256, held.size_bytes) == (file.sha256, file.size_bytes)

    @needs("upload")
    def test_b30_other_bytes_are_another_file(self, kit: BackendKit) -> None:
        """B30: Other bytes under the same name are another file.

        Neither replaces the other.
        """
        first = kit.backend.upload(kit.file("same.jsonl"))
        second = kit.backend.upload(kit.file("same.jsonl", rows=[*kit.rows, kit.rows[0]]))
        assert first.id != second.id
        assert first.sha256 != second.sha256

    def test_b31_find_file_gives_what_was_asked_for(self, kit: BackendKit) -> None:
        """B31: `find_file` gives the file of that hash, or None.

        None for a hash that was never uploaded.
        """
        assert kit.backend.find_file("0" * 64) is None
        file = kit.file()
        if kit.can("upload"):
            kit.backend.upload(file)
        found = kit.backend.find_file(file.sha256)
        assert found is None or found.sha256 == file.sha256
