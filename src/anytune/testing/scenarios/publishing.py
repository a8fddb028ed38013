"""B57-B62: a tuned model is published."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from anytune.errors import NotFound, Rejected
from anytune.testing.scenarios.needs import needs
from anytune.testing.scenarios.observe import UNKNOWN_ID
from anytune.values import ModelRef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.testing.kit import BackendKit

_PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"})
_LEFTOVERS = frozenset({".jsonl", ".log", ".csv", ".parquet", ".lock", ".pid"})


class Publishing:
    """push."""

    @needs("push")
    def test_b57_a_published_model_is_whole_private_and_clean(self, kit: BackendKit) -> None:
        """B57: `push` publishes weights and card, privately unless asked otherwise.

        No pickles, checkpoints, rows or logs go with them, and no secret is in the answer.
        """
        order, pushed = kit.pushed()
        assert pushed.repo == order.repo
        assert pushed.revision, "It names no commit."
        assert pushed.private, "Nobody asked for a public repository."
        assert pushed.size_bytes > 0
        assert "README.md" in pushed.files, "The model card is missing."
        assert _weights(pushed.files), f"There are no weights among {pushed.files}."
        held = kit.repo_files(order.repo) if kit.repo_files else pushed.files
        assert set(held) - {".gitattributes"} == set(pushed.files) - {".gitattributes"}
        assert _unwanted(held) == []
        assert not [secret for secret in kit.secrets if secret in f"{pushed!r} {pushed.model_dump_json()}"], "A secret is in the answer."

    @needs("push")
    def test_b58_publishing_again_changes_nothing(self, kit: BackendKit) -> None:
        """B58: Publishing the same again makes no second repository and no second commit.

        Also through another instance, as the next process will do it.
        """
        order, pushed = kit.pushed()
        model = kit.tuned()
        before = kit.repos() if kit.repos else 0
        assert kit.backend.push(model, order).revision == pushed.revision
        assert kit.make().push(model, order).revision == pushed.revision
        assert (kit.repos() if kit.repos else 0) == before

    @needs("push")
    def test_b59_nothing_becomes_public_by_accident(self, kit: BackendKit) -> None:
        """B59: A private repository stays private, and a public one is refused what shall be private.

        Whatever a later order says: only the owner, at the hub, makes a private repository public.
        """
        order, pushed = kit.pushed()
        model = kit.tuned()
        again = kit.backend.push(model, order.model_copy(update={"private": False}))
        assert (again.private, again.revision) == (True, pushed.revision)
        open_ = kit.push_order(private=False)
        assert not kit.backend.push(model, open_).private, "A public repository was asked for."
        error = kit.refusal(lambda: kit.backend.push(model, open_.model_copy(update={"private": True})))
        assert isinstance(error, Rejected), repr(error)

    @needs("push")
    def test_b60_another_model_is_not_overwritten_unasked(self, kit: BackendKit) -> None:
        """B60: A repository that holds another model is left alone, unless `replace` is set.

        Then its place is taken, and nothing of the other one stays.
        """
        order, pushed = kit.pushed()
        other = kit.another()
        error = kit.refusal(lambda: kit.backend.push(other, order))
        assert isinstance(error, Rejected), repr(error)
        assert kit.backend.push(kit.tuned(), order).revision == pushed.revision, "The refused one has changed the repository."
        replaced = kit.backend.push(other, order.model_copy(update={"replace": True}))
        assert replaced.revision != pushed.revision, "It was not replaced."
        kit.repush()

    @needs("push")
    def test_b61_an_adapter_goes_alone_or_is_refused(self, kit: BackendKit) -> None:
        """B61: With `adapter` the adapter goes alone; a model that has none is `NotFound`.

        The merged weights do not go with it, so that its repository is small.
        """
        model, order = kit.tuned(), kit.push_order(adapter=True)
        try:
            pushed = kit.backend.push(model, order)
        except NotFound:
            assert "adapter" not in model.artifacts, "The job made an adapter."
        else:
            assert {"adapter_config.json", "README.md"} <= set(pushed.files)
            assert all("adapter" in name for name in _weights(pushed.files)), f"Merged weights are among {pushed.files}."

    @needs("push")
    def test_b62_a_model_that_is_not_there_makes_no_repository(self, kit: BackendKit) -> None:
        """B62: A model that does not exist is `NotFound`, and no repository is made for it.

        An empty one would take the name.
        """
        before = kit.repos() if kit.repos else 0
        error = kit.refusal(lambda: kit.backend.push(ModelRef(id=UNKNOWN_ID), kit.push_order()))
        assert isinstance(error, NotFound), repr(error)
        assert (kit.repos() if kit.repos else 0) == before


def _weights(files: Iterable[str]) -> list[str]:
    return [name for name in files if name.endswith(".safetensors")]


def _unwanted(files: Iterable[str]) -> list[str]:
    """Give what no reader of the model needs, and what runs code when it is opened."""
    paths = [PurePosixPath(name) for name in files]
    return [
        str(path) for path in paths if path.suffix in _PICKLES | _LEFTOVERS or any(part.startswith("checkpoint") for part in path.parts)
    ]
