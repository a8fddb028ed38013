"""B45-B47: what a row becomes, and what a run will take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.testing.scenarios.needs import needs
from anytune.values import Quote, Rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.testing.kit import BackendKit


class Rows:
    """render and probe."""

    @needs("render")
    def test_b45_rows_are_rendered_with_what_is_learned(self, kit: BackendKit) -> None:
        """B45: `render` shows each row, and only the answer is learned; where `learns` says so, all of it but its first tokens.

        Pieces come with their tokens, and these add up; neighbours differ in whether they are learned. Counts alone are the same.
        """
        spec = kit.order().spec
        numbered = [(number, dict(row)) for number, row in enumerate(kit.rows[:3], start=2)]
        shown = list(kit.backend.render(spec, numbered))
        assert [seen.row for seen in shown] == [number for number, _ in numbered]
        for seen, (_, row) in zip(shown, numbered, strict=True):
            assert sum(piece.tokens for piece in seen.pieces if piece.trained) == seen.trained_tokens > 0
            assert sum(piece.tokens for piece in seen.pieces if not piece.trained) == seen.prompt_tokens > 0
            assert all(one.trained != next_one.trained for one, next_one in zip(seen.pieces, seen.pieces[1:], strict=False))
            learned = "".join(piece.text for piece in seen.pieces if piece.trained)
            read = "".join(piece.text for piece in seen.pieces if not piece.trained)
            asked, answered = _halves(row)
            everything = kit.backend.capabilities.learns == "all"
            assert asked in (learned if everything else read), "What the user says is not where `learns` says that it is."
            assert answered in learned, "The answer is not in what is learned."
        counted = list(kit.backend.render(spec, numbered, pieces=False))
        assert [_counts(seen) for seen in counted] == [_counts(seen) for seen in shown]

    @needs("render")
    def test_b46_rendering_is_lazy_and_changes_nothing(self, kit: BackendKit) -> None:
        """B46: `render` reads rows as it goes.

        It gives the first before it has read the last: files may be larger than the memory.
        """
        spec = kit.order().spec
        asked = 0

        def rows() -> Iterator[tuple[int, dict[str, Any]]]:
            nonlocal asked
            for number in range(1, 1001):
                asked = number
                yield number, dict(kit.rows[0])

        assert next(iter(kit.backend.render(spec, rows()))).row == 1
        assert asked < 1000, "All rows were read before the first was given."

    @needs("probe")
    def test_b47_a_probe_measures_and_makes_no_job(self, kit: BackendKit) -> None:
        """B47: `probe` gives minutes that were measured, and makes no job.

        Its basis says so in words that a person understands.
        """
        order = kit.order()
        before = kit.jobs() if kit.jobs else 0
        quote = kit.backend.probe(order.spec, list(order.data.values()))
        assert isinstance(quote, Quote)
        assert quote.minutes is not None
        assert "measured" in quote.basis
        assert (kit.jobs() if kit.jobs else 0) == before
        assert not [job for job in kit.backend.find(order).jobs if job.ref == order.ref]


def _halves(row: dict[str, Any]) -> tuple[str, str]:
    messages = row["messages"]
    return messages[-2]["content"], messages[-1]["content"]


def _counts(seen: Rendered) -> tuple[int, int, int, str]:
    return seen.row, seen.prompt_tokens, seen.trained_tokens, seen.label
