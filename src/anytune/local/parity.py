"""Does the engine say what the trainer's model said? Asked before an endpoint is called ready.

The trainer writes parity.json beside the weights:

```json
{"mode": "cpu", "rows": [
  {"messages": [...], "tools": null, "prompt_tokens": 31, "token_ids": [16 ints], "text": "...", "first_token": "..."}]}
```

`cpu` (fp32 on both sides): prompt tokens and text are equal on every row. `gpu` (other kernels, other rounding): prompt tokens are equal on
every row and the first token on two of three. Prompt tokens differ where training and serving render another chat template, the silent
failure that users of local tuners complain about most (facts of 2026-11-22: unsloth #1832, LlamaFactory #5836).
"""

from __future__ import annotations

import math
from pathlib import Path  # noqa: TC003 - a signature that readers may evaluate
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from anytune.errors import DeploymentFailed
from anytune.values import Value

if TYPE_CHECKING:
    import httpx2

__all__ = ["ParityReport", "ParityRow", "ParityRows", "ask_engine", "check", "load"]

_MAX_TOKENS = 16
_SHARE_GPU = 2 / 3


class ParityRow(Value):
    """What the trainer's model said to one conversation, decoded greedily."""

    messages: tuple[dict[str, Any], ...] = Field(min_length=1)
    tools: tuple[dict[str, Any], ...] | None = None
    prompt_tokens: int
    token_ids: tuple[int, ...] = ()
    text: str
    first_token: str = ""


class ParityRows(Value):
    """A parity.json."""

    mode: Literal["cpu", "gpu"]
    rows: tuple[ParityRow, ...] = Field(min_length=1)


class ParityReport(Value):
    """What came of it: how many rows were asked, and where the engine differed."""

    mode: Literal["cpu", "gpu"]
    rows: int
    prompts_equal: int
    answers_equal: int
    differences: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Tell whether the endpoint may be called ready."""
        needed = self.rows if self.mode == "cpu" else math.ceil(self.rows * _SHARE_GPU)
        return self.prompts_equal == self.rows and self.answers_equal >= needed


def load(path: Path) -> ParityRows:
    """Read a parity.json.

    Raises:
        DeploymentFailed: It is missing or not one.
    """
    try:
        return ParityRows.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DeploymentFailed(f"Cannot read {path}: {error.strerror}.", fix="The model's folder is not complete: train again.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise DeploymentFailed(f"{path} is not a parity file (`{place}`: {first['msg']}).", fix="Train again.") from None


async def ask_engine(
    client: httpx2.AsyncClient, model: str, messages: tuple[dict[str, Any], ...], *, tools: Any = None, max_tokens: int = _MAX_TOKENS
) -> dict[str, Any]:
    """Ask the engine itself for a greedy answer (temperature 0 turns sampling off in transformers and vLLM).

    Raises:
        DeploymentFailed: It answered with an error, or with no chat completion.
    """
    body: dict[str, Any] = {"model": model, "messages": list(messages), "temperature": 0, "max_tokens": max_tokens}
    if tools:
        body["tools"] = list(tools)
    reply = await client.post("/v1/chat/completions", json=body)
    try:
        content = reply.json()
        content["choices"][0]["message"]
    except (ValueError, LookupError, TypeError):
        text = reply.text[:300]
        raise DeploymentFailed(f"The engine answered a first request with HTTP {reply.status_code}: {text}", fix="See its log.") from None
    result: dict[str, Any] = content
    return result


async def check(client: httpx2.AsyncClient, model: str, expected: ParityRows, *, mode: Literal["cpu", "gpu"] | None = None) -> ParityReport:
    """Ask every row of the engine and compare; the differences are for a person to read.

    Args:
        client: Speaks to the engine itself.
        model: The name that the engine wants.
        expected: What the trainer's model said.
        mode: How strict to be; None takes the file's.
    """
    mode = mode or expected.mode
    prompts_equal = answers_equal = 0
    differences: list[str] = []
    for number, row in enumerate(expected.rows, 1):
        reply = await ask_engine(client, model, row.messages, tools=row.tools)
        prompt_tokens = (reply.get("usage") or {}).get("prompt_tokens")
        message = reply["choices"][0]["message"]
        text = message.get("content") or ""
        if prompt_tokens == row.prompt_tokens:
            prompts_equal += 1
        else:
            differences.append(f"row {number}: the prompt has {row.prompt_tokens} tokens in training and {prompt_tokens} in serving")
        if _answers_match(mode, row, text, message):
            answers_equal += 1
        else:
            differences.append(f"row {number}: trained {_expected(mode, row)!r}, served {text[:120]!r}")
    rows = len(expected.rows)
    return ParityReport(mode=mode, rows=rows, prompts_equal=prompts_equal, answers_equal=answers_equal, differences=tuple(differences))


def _answers_match(mode: str, row: ParityRow, text: str, message: dict[str, Any]) -> bool:
    calls = message.get("tool_calls")
    if calls and not text.strip():  # the engine parsed a call out of the text: its name must have been there
        return all(str((call.get("function") or {}).get("name")) in row.text for call in calls)
    if mode == "cpu":
        return text.strip() == row.text.strip()
    first = row.first_token.strip()
    return text.strip().startswith(first) if first else not text.strip() or text.strip() == row.text.strip()


def _expected(mode: str, row: ParityRow) -> str:
    return row.text[:120] if mode == "cpu" else row.first_token
