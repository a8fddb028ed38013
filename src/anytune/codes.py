"""Every finding that core makes, by its code: how grave it is and what it is about. docs/reference/findings.md is made from this table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from anytune.values import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["CODES", "Code", "Severity", "finding"]

Severity = Literal["error", "warning", "info"]


class Code(NamedTuple):
    """What a code stands for.

    Attributes:
        room: Which part of a check finds it: `file`, `row`, `tools`, `images`, `content`, `rows` (across rows), `size`, `model`, `host`,
            `run`.
        severity: How grave it is unless the target says otherwise.
        about: What it says, in one sentence.
    """

    room: str
    severity: Severity
    about: str


CODES: Mapping[str, Code] = {
    # file
    "no-rows": Code("file", "error", "The file holds no rows."),
    "not-utf8": Code("file", "error", "A line is not UTF-8."),
    "not-json": Code("file", "error", "A line is not JSON."),
    "not-csv": Code("file", "error", "A record of a table is not CSV, or has more or fewer cells than there are columns."),
    "not-an-object": Code("file", "error", "A line is JSON, but not an object."),
    "duplicate-key": Code("file", "error", "A key stands twice in one object: readers disagree about which one counts."),
    "not-a-number": Code("file", "error", "NaN or Infinity, which JSON does not have."),
    "huge-number": Code("file", "error", "A number that readers round or refuse (beyond 64 bits, or hundreds of digits)."),
    "too-deep": Code("file", "error", "Objects or lists are nested deeper than any row needs."),
    "line-too-long": Code("file", "error", "A line is longer than 16 MiB."),
    "mixed-rows": Code("file", "error", "Rows of several kinds stand in one file."),
    "read-as": Code("file", "info", "The file was read as another format; or which columns keep it from being read."),
    "lossy-read": Code("file", "warning", "Reading the format leaves something out."),
    "pinned": Code("file", "info", "Rows were read from a dataset of the Hub, at the commit that is named."),
    "rewritten": Code("file", "info", "Columns of another tool were written into a file of anytune's own rows."),
    "more-findings": Code("file", "info", "There are more findings of a kind than are listed one by one."),
    "not-checked": Code("file", "info", "A check was left out: asked for, or because a library is missing."),
    "sampled": Code("file", "info", "A check looked at a sample of the rows."),
    # row
    "unknown-row": Code("row", "error", "The keys fit no known kind of row."),
    "wrong-kind": Code("row", "error", "The row is of a kind that the method does not learn from."),
    "unknown-key": Code("row", "error", "A key that the kind of row does not have."),
    "missing-key": Code("row", "error", "A key that is needed is missing."),
    "bad-type": Code("row", "error", "A value has the wrong type."),
    "bad-value": Code("row", "error", "A value is outside of what is allowed."),
    "unknown-role": Code("row", "error", "A message's role is none of the known ones."),
    "no-messages": Code("row", "error", "The list of messages is empty."),
    "no-assistant": Code("row", "error", "No assistant's message to learn from."),
    "last-not-assistant": Code("row", "error", "The last message is not the assistant's."),
    "last-not-user": Code("row", "error", "A graded row does not end with what the model is to answer."),
    "missing-content": Code("row", "error", "A message has neither content nor tool calls."),
    "empty-content": Code("row", "warning", "A message's content is empty."),
    "empty-answer": Code("row", "error", "What is to be learned is empty."),
    "misplaced-key": Code("row", "error", "A key belongs to messages of another role."),
    "role-order": Code("row", "warning", "The roles do not take turns, or the system's message is not the first."),
    "all-weights-zero": Code("row", "error", "Every assistant's message has weight 0: nothing would be learned."),
    "same-answers": Code("row", "error", "The preferred and the rejected answer are the same."),
    "deprecated-key": Code("row", "warning", "A key that providers have given up; the fix names its successor."),
    "bad-grader": Code("row", "error", "A grader's definition cannot work."),
    "missing-item-field": Code("row", "error", "A grader names a field of the row that the row does not have."),
    # tools
    "bad-tool": Code("tools", "error", "A tool's definition is not valid."),
    "duplicate-tool": Code("tools", "error", "Two tools of a row have the same name."),
    "undeclared-tool": Code("tools", "error", "A call names a tool that the row does not declare."),
    "bad-arguments": Code("tools", "error", "A call's arguments are not a JSON object."),
    "arguments-mismatch": Code("tools", "error", "A call's arguments do not fit the tool's schema."),
    "duplicate-call": Code("tools", "error", "Two tool calls of a row have the same id."),
    "orphan-result": Code("tools", "error", "A tool's message answers no call of the row."),
    "missing-result": Code("tools", "warning", "A tool call has no answer, though the conversation goes on."),
    # images
    "bad-image": Code("images", "error", "An image cannot be read."),
    "image-format": Code("images", "error", "An image is of a format or colour mode that is not taken."),
    "image-too-large": Code("images", "error", "An image is larger than the target takes."),
    "too-many-images": Code("images", "error", "A row has more images than the target takes."),
    "image-place": Code("images", "error", "An image stands in a message that is not the user's."),
    "image-address": Code("images", "warning", "An image is fetched from an address: it must stay public, and was not looked at."),
    # content
    "special-token": Code("content", "warning", "Text looks like a model's special token; hosted trainers refuse it, local ones obey it."),
    "encoding-damage": Code("content", "warning", "Text was decoded wrongly once (mojibake, replacement characters, lone surrogates)."),
    "control-character": Code("content", "warning", "Text holds control characters that no keyboard types."),
    "secret": Code("content", "error", "Something looks like a key, token or password."),
    "personal-data": Code("content", "warning", "Something looks like personal data (e-mail, telephone, card, account, identity number)."),
    # across rows
    "duplicate-rows": Code("rows", "warning", "Rows are the same."),
    "near-duplicate-rows": Code("rows", "warning", "Rows are nearly the same."),
    "conflicting-answers": Code("rows", "warning", "The same input has different answers."),
    "leaked-rows": Code("rows", "error", "Validation rows stand in the training file: they would measure memory, not learning."),
    "leaked-inputs": Code("rows", "warning", "Inputs of validation rows stand in the training file with other answers."),
    "near-leaked-rows": Code("rows", "warning", "Validation rows are nearly the same as training rows."),
    "one-sided-labels": Code("rows", "warning", "All rows have the same label, so there is nothing to tell apart."),
    # size
    "too-few-rows": Code("size", "error", "Fewer rows than the target takes."),
    "few-rows": Code("size", "warning", "Fewer rows than are recommended."),
    "too-many-rows": Code("size", "error", "More rows than the target takes."),
    "file-too-large": Code("size", "error", "The file is larger than the target takes."),
    "too-many-tokens": Code("size", "error", "More tokens, over all epochs, than the target takes."),
    "overlong": Code("size", "error", "Rows are longer than the limit."),
    "truncated": Code("size", "warning", "The end of rows, answers and stop tokens included, is cut off at the limit."),
    # model
    "no-template": Code("model", "error", "The model's tokenizer has no chat template."),
    "template-refuses": Code("model", "error", "The model's chat template refuses a row."),
    "tools-not-rendered": Code("model", "error", "The model's chat template leaves out the tools."),
    "nothing-learned": Code("model", "error", "No token would be learned."),
    "unlearned-rows": Code("model", "warning", "Rows have no learned token; they are left out."),
    "low-trained-share": Code("model", "info", "Only a small share of the tokens is learned."),
    "no-stop": Code("model", "warning", "Answers end without a token that ends generation: the model may not learn to stop."),
    "prompt-not-prefix": Code("model", "warning", "The prompt as it is served is not how the trained row begins."),
    "double-bos": Code("model", "error", "Rows would begin with two begin-of-text tokens."),
    "max-length": Code("model", "error", "`max_length` is beyond what the model can read."),
    # host
    "method": Code("host", "error", "The target does not offer the method."),
    "adapter": Code("host", "error", "The target does not offer the adapter."),
    "lost": Code("host", "warning", "The target has no word for a setting."),
    "alias": Code("host", "info", "A setting's other name was taken."),
    "unknown-model": Code("host", "warning", "The catalogue does not know the model, so its rules were not applied."),
    "not-tunable": Code("host", "error", "The model cannot be tuned there."),
    "refused-feature": Code("host", "error", "The target refuses something that rows use (tools, images, weights, roles, …)."),
    "dropped-feature": Code("host", "warning", "The target leaves out something that rows use."),
    "validation-needed": Code("host", "error", "The method needs a validation file there."),
    "training-closed": Code("host", "error", "The service or model takes no new jobs any more."),
    "training-closing": Code("host", "warning", "The service or model takes no new jobs from a day on."),
    "model-gone": Code("host", "error", "The model, and what is tuned on it, has stopped answering."),
    "model-closing": Code("host", "warning", "The model, and what is tuned on it, stops answering on a day."),
    "customers-only": Code("host", "warning", "Only some accounts may still create jobs."),
    "left-out": Code("host", "warning", "A word of another tool's config is left out."),
    "differs": Code("host", "info", "Something is done otherwise than the tool does whose config or words these are."),
    "token-in-clear": Code("host", "warning", "A config holds a token in clear. It was not read."),
    "others-could": Code("host", "info", "Which other backends could take the same spec."),
    # run
    "over-budget": Code("run", "error", "The quote is over the budget."),
    "no-price": Code("run", "warning", "A budget in money is set, and no price is known."),
    "same-run": Code("run", "error", "Another ledger made the same run at this account, and it lives; a warning where it has succeeded."),
    "disk": Code("run", "error", "There is too little room on the disk."),
    "memory": Code("run", "warning", "The run may need more memory than is free."),
    "allowed": Code("run", "info", "An error that the caller chose to allow."),
}
"""All codes of core. Backends may add their own, and say so in their README."""


def finding(
    code: str,
    message: str,
    fix: str = "",
    *,
    row: int | None = None,
    rows: Iterable[int] = (),
    message_index: int | None = None,
    severity: Severity | None = None,
) -> Finding:
    """Make a finding of a known code.

    Args:
        code: One of `CODES`.
        message: What is wrong, for a person; never text of the row itself where it may be secret.
        fix: What to do about it.
        row: Line of the one row that is concerned; the first of `rows` by default.
        rows: Lines of all rows that are concerned, where they are several.
        message_index: 0-based index of the message.
        severity: Another severity than the code's own.

    Raises:
        KeyError: The code is not known.

    Example:
        >>> finding("not-json", "The line is not JSON.", row=3).severity
        'error'
    """
    lines = tuple(rows)
    return Finding(
        severity=severity or CODES[code].severity,
        code=code,
        message=message,
        fix=fix,
        row=row if row is not None else next(iter(lines), None),
        rows=lines,
        message_index=message_index,
    )
