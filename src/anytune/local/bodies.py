"""What a question to an engine must not hold: words that would reach its loader, its template code or the network.

Used by the gate in front of a local engine and by `anytune serve`. vLLM CVE-2026-115918 (a template in the request), LiteLLM CVE-2024-6587
(`api_base`: the request says where the server's key is sent to), lmdeploy CVE-2026-33626 (an image's URL makes the engine fetch).
"""

from __future__ import annotations

__all__ = ["BadBody", "vetted"]

_REFUSED = frozenset({
    *("api_base", "base_url", "api_key", "extra_headers", "extra_body"),
    *("chat_template", "generation_config", "trust_remote_code", "code_revision", "revision"),
})  # fmt: skip
"""Words that no request may set."""

_MEDIA = ("image_url", "video_url", "audio_url", "input_image")
"""Content parts with an address that an engine would fetch."""

_SWITCHES = frozenset({"enable_thinking"})


class BadBody(ValueError):
    """A body that is refused.

    Args:
        message: Why, for the person who sent it.
        param: The word that it is about.
    """

    def __init__(self, message: str, param: str) -> None:
        """Keep the parts."""
        super().__init__(message)
        self.message, self.param = message, param


def vetted(body: dict[str, object]) -> None:
    """Look at a question before an engine does.

    Raises:
        BadBody: It sets what no request may set, or names something to fetch.
    """
    refused = sorted(_REFUSED & body.keys())
    if not _only_switches(body.get("chat_template_kwargs") or {}):
        refused.append("chat_template_kwargs")
    if refused:
        raise BadBody(f"A request cannot set `{refused[0]}`.", refused[0])
    for word in ("messages", "input"):
        if _fetches(body.get(word)):
            raise BadBody("Images, audio and video are taken as `data:` URLs only; this endpoint fetches nothing.", word)


def _only_switches(given: object) -> bool:
    """Tell whether template arguments are harmless: one of them could be a whole template."""
    return isinstance(given, dict) and all(key in _SWITCHES and isinstance(value, bool) for key, value in given.items())


def _fetches(messages: object) -> bool:
    """Tell whether a content part names a URL that the engine would fetch."""
    parts: list[object] = []
    for message in messages if isinstance(messages, list) else []:
        content = message.get("content") if isinstance(message, dict) else None
        parts += content if isinstance(content, list) else []
    for part in parts:
        for key in _MEDIA:
            value = part.get(key) if isinstance(part, dict) else None
            url = value.get("url") if isinstance(value, dict) else value
            if url is not None and not str(url).startswith("data:"):
                return True
    return False
