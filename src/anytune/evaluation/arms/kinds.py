"""The arms: those that ask a model, each by its way of putting the question, and those that ask nobody."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune.evaluation.arms.base import Asking, Silent
from anytune.evaluation.arms.turns import added, before, instructed, said
from anytune.evaluation.goldens import read
from anytune.evaluation.values import Answer, Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anytune.evaluation.arms.base import Ask, Message
    from anytune.evaluation.arms.pool import Example, Pool
    from anytune.evaluation.arms.search import Search
    from anytune.evaluation.values import Case

__all__ = ["Again", "Copying", "FewShot", "Prompt", "Recalling", "Retrieval", "ZeroShot"]


class ZeroShot(Asking):
    """The row's own messages, as they are."""

    def __init__(self, name: str, **whom: Any) -> None:
        """Keep whom to ask."""
        super().__init__(name, **whom)
        self.what = f"asks {self.model} what the row asks"

    def messages(self, case: Case) -> list[Message]:
        """Give the row's own messages."""
        return list(case.messages)


class Prompt(Asking):
    """The row's messages under an engineered system message."""

    def __init__(self, name: str, system: str, **whom: Any) -> None:
        """Keep the system message."""
        super().__init__(name, **whom)
        self.system = system
        self.what = f"asks {self.model} under a prompt of {len(system):,} characters"

    def messages(self, case: Case) -> list[Message]:
        """Give the row's messages, the system message in the place of the row's own."""
        return instructed(case.messages, self.system)


class FewShot(Asking):
    """Training rows as turns of the conversation, before the question; the likest stands last, next to it.

    Args:
        choose: `nearest` takes the likest by BM25, `mmr` likest and unlike each other, `fixed` the same for every question.
        seed: Another seed fixes other ones.
    """

    def __init__(self, name: str, pool: Pool, *, k: int, choose: str, seed: int, **whom: Any) -> None:
        """Keep the examples."""
        super().__init__(name, **whom)
        self._pool, self._k = pool, k
        # Made here, once: threads would each make the index.
        self._find = {"mmr": pool.search.varied, "nearest": pool.search.likest}.get(choose) if choose != "fixed" else None
        order = (
            sorted(pool.examples, key=lambda one: hashlib.sha256(f"{seed}:{one.case.id}".encode()).digest()) if choose == "fixed" else []
        )
        self._fixed = order[:k]
        how = {"fixed": "the same for every question", "nearest": "the likest by BM25", "mmr": "like the question and unlike each other"}
        self.what = f"asks {self.model} after {k} training rows, {how[choose]}"

    def messages(self, case: Case) -> list[Message]:
        """Give the row's messages with the examples before the question."""
        return before(case.messages, [turn for example in self._examples(case) for turn in example.turns])

    def _examples(self, case: Case) -> Sequence[Example]:
        if self._find is None:
            return self._fixed
        places = self._find(said(case.messages), self._k)
        return [self._pool.examples[place] for place in reversed(places)]


class Retrieval(Asking):
    """Texts that were found for the question, added to its system message.

    Args:
        documents: The texts; `search` is an index over them or over what they answer.
        template: With `{documents}` where they stand, the likest first.
    """

    def __init__(self, name: str, documents: Sequence[str], search: Search, *, k: int, template: str, **whom: Any) -> None:
        """Keep the texts."""
        super().__init__(name, **whom)
        self._documents, self._search, self._k, self._template = documents, search, k, template
        self.what = f"asks {self.model} with the {k} likest of {len(documents):,} texts in its prompt, found by BM25"

    def messages(self, case: Case) -> list[Message]:
        """Give the row's messages with what was found in the system message."""
        found = [self._documents[place] for place in self._search.likest(said(case.messages), self._k)]
        return added(case.messages, self._template.replace("{documents}", "\n\n".join(found)))


class Again(Asking):
    """Another arm's questions asked once more: its answers are never taken for that arm's."""

    def __init__(self, name: str, of: Asking) -> None:
        """Keep the other arm."""
        super().__init__(name, model=of.model, target=of.target, params=of.params)
        self.series = name
        self._of = of
        self.what = f"asks once more what {of.name} asks: the difference is chance"

    def messages(self, case: Case) -> list[Message]:
        """Give the other arm's messages."""
        return self._of.messages(case)

    def ask(self, case: Case) -> Ask:
        """Give the other arm's question."""
        return self._of.ask(case)


class Copying(Silent):
    """Asks no model: the answer of the likest training row, or the commonest answer of the k likest."""

    def __init__(self, name: str, pool: Pool, *, k: int) -> None:
        """Keep the rows."""
        self.name, self._pool, self._search, self._k = name, pool, pool.search, k
        self.what = (
            "copies the answer of the likest training row" if k == 1 else f"copies the commonest answer of the {k} likest training rows"
        )

    def answer(self, case: Case) -> Sample:
        """Give an answer of the training rows; of equally common ones the one of the likest row."""
        likest = [self._pool.examples[place].case for place in self._search.likest(said(case.messages), self._k)]
        samples = [Sample(text=one.reference or "", tool_calls=one.tool_calls, finish_reason="stop") for one in likest]
        return max(samples, key=samples.count)

    def answered(self, case: Case, repeat: int) -> Answer:
        """The same for every repeat."""
        found = self.answer(case)
        return Answer(
            case=case.id, arm=self.name, repeat=repeat, text=found.text, tool_calls=found.tool_calls, finish_reason=found.finish_reason
        )


class Recalling(Silent):
    """Asks no model: gives the answers that one gave when it was captured.

    Args:
        name: The arm's name.
        file: What `anytune capture` wrote.
        repeats: Answers to each case that are needed.

    Raises:
        ConfigError: Each case was captured less often.
        DataError: It is no such file.
    """

    def __init__(self, name: str, file: Path, *, repeats: int) -> None:
        """Read the answers."""
        kept = read(file)
        if kept.header.samples < repeats:
            raise ConfigError(
                f"{file.name} holds {kept.header.samples} answers to each row, and `repeats` is {repeats}.",
                fix="Lower `repeats`, or capture more samples while the model answers.",
            )
        self.name, self._answers = name, kept.answers
        self.what = f"gives what {kept.header.model} answered on {kept.header.began:%Y-%m-%d}"

    def answered(self, case: Case, repeat: int) -> Answer:
        """Give the answer that was kept; a case that was not captured counts as failed."""
        found = self._answers.get((case.id, repeat))
        if found is None:
            return Answer(case=case.id, arm=self.name, repeat=repeat, error="it was not captured")
        return Answer(**found.model_dump(include=set(Answer.model_fields)) | {"arm": self.name, "repeat": repeat})
