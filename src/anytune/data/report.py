"""What a check of data files gives: the shape that `anytune data check --json` prints."""

from __future__ import annotations

from pydantic import Field, computed_field

from anytune.values import Finding, Quote, Value

__all__ = ["FileReport", "Report", "TokenCounts"]


class TokenCounts(Value):
    """Tokens of one pass over a file.

    Attributes:
        encoding: What counted: `o200k_base`, `cl100k_base`, or a model's own tokenizer by its name.
        exact: Every text was counted exactly as the encoding does; what a host adds around messages is an estimate all the same.
        total: All tokens.
        prompt: Tokens that are read and not learned.
        trained: Tokens that the loss is on.
        billable: `total`, each row counted up to the target's limit for a row.
        longest: Tokens of the longest row.
        percentiles: Tokens of a row by percentile (`p5`, `p25`, `p50`, `p75`, `p95`, `p99`): so many percent of the rows are at most that
            long (nearest rank).
    """

    encoding: str
    exact: bool = True
    total: int
    prompt: int
    trained: int
    billable: int
    longest: int
    percentiles: dict[str, int] = Field(default_factory=dict)


class FileReport(Value):
    """What one file holds.

    Attributes:
        rows: All rows, good or not.
        sha256: Of the file's bytes, in hex.
        size_bytes: Of the file as it is, compressed or not.
        format: How it was read: `anytune`, `openai-dpo`, `sharegpt`, `alpaca`, …
        container: `jsonl`, `json`, `csv`, `parquet`, with `.gz` or `.zst` where it is compressed.
        kind: Which rows: `chat`, `prompt`, `preference`, `unpaired`, `graded`, `text`; empty where no row was good.
        tokens: Where they were counted; of rows that are wrong none are.
    """

    rows: int
    sha256: str
    size_bytes: int
    format: str = "anytune"
    container: str = "jsonl"
    kind: str = ""
    tokens: TokenCounts | None = None


class Report(FileReport):
    """What a check found: of the training file, with the validation file's own figures beside it.

    Attributes:
        findings: What is wrong, the gravest first.
        validation: The validation file's figures.
        quote: What training at the target would cost by its dated prices, where these are known and no error was found.
    """

    findings: tuple[Finding, ...] = ()
    validation: FileReport | None = None
    quote: Quote | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """Tell whether no finding is an error."""
        return not any(finding.severity == "error" for finding in self.findings)
