"""OpenAI's `python`: a program of the spec's author, never run in our process.

It runs in pydantic-monty: an interpreter of its own in a worker process, which has no files, no environment, no network and no clock to
sleep by, and knows a part of Python (no inheritance, no generators, no `difflib`, no third-party modules; pydantic-monty 1.4, seen
2026-11-23). What that cannot run needs `container`: the command that starts one.
"""

from __future__ import annotations

import ast
import json
import math
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Self

from anytune.data import graders as shapes
from anytune.errors import ConfigError
from anytune.evaluation.graders import child
from anytune.evaluation.graders.shaped import Reward, Shaped, Ungraded, bounds_of, model_of, threshold_of
from anytune.evaluation.needs import need

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anytune.evaluation.graders.base import Desk
    from anytune.evaluation.graders.templates import Scene

__all__ = ["Python"]

RUN_S = 10.0
"""Longest that a sandbox computes one grade."""
MEMORY_BYTES = 256 * 2**20
CONTAINER_S = 120.0
"""Longest that a container may take for one grade, as long as at OpenAI (its guide to graders, read 2026-11-22)."""
_SAID_BYTES = 64 * 1024
_WORKERS = 4
_LIMITS = {"max_feed_duration_secs": RUN_S, "max_memory": MEMORY_BYTES, "max_recursion_depth": 500, "max_suspensions": 100}
_POLICY = {"sleep": "zero", "random_start": {"seed": 0}}
_FIX = "Write it without, or give `container`: docs/how-to/write-a-grader.md shows how."

_RUNNER = """
import json, signal, sys
signal.alarm(SECONDS)
told = json.load(sys.stdin)
names = {"__name__": "grader"}
sys.stdout, out = sys.stderr, sys.stdout
exec(compile(told["source"], "grader.py", "exec"), names)
out.write(json.dumps(float(names["grade"](told["sample"], told["item"]))))
out.flush()
""".replace("SECONDS", str(round(CONTAINER_S)))
"""What `python -c` runs in a container: a container outlives the command that started it, so it ends itself."""


class Python(Shaped):
    """Runs `grade(sample, item)`."""

    type: ClassVar[str] = "python"
    beside: ClassVar[tuple[str, ...]] = ("pass_threshold", "range", "container")

    def __init__(self, shape: shapes.Python, container: Sequence[str] | None, **more: Any) -> None:
        """Keep the program.

        Args:
            shape: The definition.
            container: The command that starts a container; None for the sandbox.
            more: As for `Shaped`.
        """
        super().__init__(shape.name, **more)
        self._source = shape.source
        self._container = container
        self._pool: Any = None
        self._lock = threading.Lock()

    @classmethod
    def parsed(cls, raw: Mapping[str, Any], desk: Desk) -> Self:
        """Check the definition by OpenAI's schema, and whether the sandbox can run the program."""
        del desk
        shape = model_of(shapes.Python, raw, cls.beside)
        grader = cls(shape, _command(raw.get("container")), bounds=bounds_of(raw), threshold=threshold_of(raw))
        if grader._container is None:
            try:
                grader._tried()
            except BaseException:
                grader.close()
                raise
        return grader

    def reward(self, scene: Scene) -> Reward:
        """Run it on a row and an answer."""
        told = {"sample": scene.sample(), "item": scene.case.item}
        return Reward(_number(self._contained(told) if self._container is not None else self._sandboxed(told)))

    def close(self) -> None:
        """End the workers."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.__exit__(None, None, None)

    def _tried(self) -> None:
        """Run the program's imports and its definitions, so that what the sandbox lacks is said before anything is asked.

        Raises:
            ConfigError: It lacks something.
        """
        monty = need("pydantic_monty")
        imports = [ast.unparse(node) for node in ast.walk(ast.parse(self._source)) if isinstance(node, (ast.Import, ast.ImportFrom))]
        for code in (*imports, self._source):
            try:
                self._fed(code, {})
            except monty.MontyError as error:
                raise ConfigError(f"`source` does not run in the sandbox: {_first_line(error)}.", fix=_FIX) from None

    def _sandboxed(self, told: dict[str, Any]) -> Any:
        monty = need("pydantic_monty")
        try:
            return self._fed(f"{self._source}\n\ngrade(sample, item)\n", told)
        except monty.MontyError as error:
            kind = _first_line(error).partition(":")[0]
            lacks = "" if kind not in {"ModuleNotFoundError", "NotImplementedError"} else f": the sandbox lacks something. {_FIX}"
            raise Ungraded(f"the program failed with {kind}{lacks}") from None
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise Ungraded(f"the row or answer cannot be given to the sandbox: {type(error).__name__}") from None

    def _fed(self, code: str, told: dict[str, Any]) -> Any:
        with self._workers().checkout(script_name="grader.py", limits=_LIMITS, os_policy=_POLICY) as session:
            return session.feed_run(code, inputs=told, print_callback=_unheard)

    def _workers(self) -> Any:
        with self._lock:
            if self._pool is None:
                self._pool = need("pydantic_monty").Monty(max_processes=_WORKERS, request_timeout=RUN_S + 5).__enter__()
            return self._pool

    def _contained(self, told: dict[str, Any]) -> Any:
        try:
            text = json.dumps({"source": self._source, **told}).encode()
            argv = [*(self._container or ()), "python", "-c", _RUNNER]
            status, said = child.said(argv, text, most_s=CONTAINER_S + 10, most_bytes=_SAID_BYTES)
        except child.Overrun as error:
            raise Ungraded(f"the program in the container: {error}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise Ungraded(f"the container could not be started: {type(error).__name__}") from None
        if status != 0:
            raise Ungraded(f"the program in the container ended with status {status}")
        with suppress(ValueError):
            return json.loads(said)
        raise Ungraded("the program in the container gave no number")


def _command(raw: Any) -> list[str] | None:
    if raw is None:
        return None
    if not (isinstance(raw, (list, tuple)) and raw and all(isinstance(word, str) for word in raw)):
        raise ConfigError(
            "`container` is no list of words.", fix="Give the command, such as [docker, run, --rm, -i, --network=none, IMAGE]."
        )
    return list(raw)


def _number(found: Any) -> float:
    if not isinstance(found, (int, float)):
        raise Ungraded("`grade` gave no number")
    try:
        value = float(found)
    except OverflowError:
        raise Ungraded("`grade` gave a number too large") from None
    if not math.isfinite(value):
        raise Ungraded("`grade` gave a number that is not finite")
    return value


def _first_line(error: Exception) -> str:
    """Give the kind of a sandbox's error and what it says: of a program, never of a row, as long as no row was given."""
    return str(error).partition("\n")[0].rstrip(".")


def _unheard(stream: str, text: str) -> None:
    del stream, text
