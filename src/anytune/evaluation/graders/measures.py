"""How alike two texts are, from 0 to 1, by the measures of the field: each one line of a library, and what it does not say.

None of them was compared with OpenAI's own results, which nobody publishes.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from anytune.evaluation.needs import need

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LONGEST", "MEASURES", "chrf"]

LONGEST = 100_000
"""Characters of a text that are still compared. The slowest measure, gleu, takes 0.8 s for two texts of this length (2026-11-23)."""

_WORD = re.compile(r"[^\W_]+")


def fuzzy_match(text: str, right: str) -> float:
    """Give 1 minus the normalised distance of insertions and deletions."""
    return float(need("rapidfuzz.fuzz").ratio(text, right)) / 100


def bleu(text: str, right: str) -> float:
    """Give the sentence's BLEU: n-grams to 4, tokens of mteval-v13a, exponential smoothing, short texts by the orders they have."""
    metric = need("sacrebleu.metrics").BLEU(effective_order=True)
    return min(1.0, float(metric.sentence_score(text, [right]).score) / 100)


def chrf(text: str, right: str, *, words: int = 0) -> float:
    """Give chrF2, n-grams of characters to 6.

    Args:
        text: The text.
        right: The right one.
        words: Longest n-grams of words beside; 2 gives chrF++.
    """
    return float(need("sacrebleu.metrics").CHRF(word_order=words).sentence_score(text, [right]).score) / 100


def gleu(text: str, right: str) -> float:
    """Give Google's BLEU: the smaller of precision and recall over n-grams to 4 of lower-case words."""
    return float(need("nltk.translate.gleu_score").sentence_gleu([_words(right)], _words(text)))


def meteor(text: str, right: str) -> float:
    """Give METEOR by equal words and equal stems. Its third stage, synonyms, needs WordNet's files and is left out: scores are lower."""
    return float(need("nltk.translate.meteor_score").single_meteor_score(_words(right), _words(text), wordnet=_NoSynonyms()))


def rouge_n(order: int) -> Callable[[str, str], float]:
    """Make ROUGE over n-grams of an order, as F1."""

    def measured(text: str, right: str) -> float:
        return float(_rouge(order).score(right, text)[f"rouge{order}"].fmeasure)

    return measured


def rouge_l(text: str, right: str) -> float:
    """Give ROUGE-L as F1: the longest common subsequence of words, found by rapidfuzz, as rouge-score's table grows with the square."""
    got, wanted = _words(text), _words(right)
    if not got or not wanted:
        return 0.0
    common = int(need("rapidfuzz.distance").LCSseq.similarity(got, wanted))
    return 2 * common / (len(got) + len(wanted))


MEASURES: dict[str, Callable[[str, str], float]] = {
    "bleu": bleu,
    "fuzzy_match": fuzzy_match,
    "gleu": gleu,
    "meteor": meteor,
    **{f"rouge_{order}": rouge_n(order) for order in range(1, 6)},
    "rouge_l": rouge_l,
}
"""All measures of two texts, under OpenAI's names."""


class _Tokens:
    """rouge-score's own tokens lose every letter that is not ASCII; these are the same for ASCII, and keep the others."""

    def tokenize(self, text: str) -> list[str]:
        return _words(text)


class _NoSynonyms:
    """Stands where nltk would load WordNet."""

    def synsets(self, word: str) -> list[Any]:
        del word
        return []


@cache
def _rouge(order: int) -> Any:
    return need("rouge_score.rouge_scorer").RougeScorer([f"rouge{order}"], tokenizer=_Tokens())


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
