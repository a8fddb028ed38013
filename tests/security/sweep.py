"""What the canary sweep is made of: secrets of no other use, commands in real processes with every logger at DEBUG, and what is left of them.

A life collects all that anybody could read afterwards: what was printed, each file under the home and the folder of temporary files,
and, while the commands run, the arguments and environments of every process that belongs to the home.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil

__all__ = ["CANARIES", "Life", "rows"]

CANARIES = {
    "openai key": "sk-proj-canaryOPENAI0123456789abcdef",
    "azure key": "c4naryAZUREkeyWithoutAnyShape0123456789ABCDEFabcdefJQQJ99BK",
    "entra token": "canaryEntraTokenWithoutAnyShape0123456789",
    "arm token": "canaryArmTokenWithoutAnyShape0123456789",
    "hf token": "hf_canaryHFtokenABCDEFGHIJKLMNOPQRST",
    "wandb key": "canary0wandb1key2without3shape4567890abc",
    "pg password": "canary-pg-password-51c9e2",
    "prompt": "canary prompt: which herb goes with lamb",
    "row": "canary row: chopped fresh basil",
    "answer": "canary answer: sixteen tablespoons",
}
KEYS = tuple(name for name in CANARIES if name.endswith(("key", "token", "password")))

_AT_DEBUG = """
import logging, os
logging.basicConfig(level=logging.DEBUG, filename=os.environ["CANARY_LOG"], format="%(name)s %(message)s %(exc_info)s")
for name in ("openai", "httpx2", "httpcore2", "sqlalchemy", "sqlalchemy.engine", "alembic", "huggingface_hub", "anytune"):
    logging.getLogger(name).setLevel(logging.DEBUG)
"""


def rows(path, count=12):
    """Write rows that hold the canaries of data."""
    turns = [("user", CANARIES["row"]), ("assistant", CANARIES["answer"])]
    lines = [{"messages": [{"role": role, "content": f"{text} {n}"} for role, text in turns]} for n in range(count)]
    Path(path).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


_EACH = """
import io, json, sys
from anytune.cli import invoke
for words, stdin in json.load(open(sys.argv[1])):
    for stream in (sys.stdout, sys.stderr):
        print(chr(30), file=stream, flush=True)
    sys.stdin = io.StringIO(stdin)
    code = invoke(words)
    print(f"ENDED {'-'.join(words[:2])} {code}", file=sys.stderr, flush=True)
"""


class Life:
    """A home, a working folder and the commands that are given there.

    Args:
        folder: An empty folder for all of it.
        environment: What leads to the host, beside every canary that this environment could hold.
    """

    def __init__(self, folder, environment):
        self.folder, self.home, self.tmp, self.log = folder, folder / "home", folder / "tmp", folder / "debug.log"
        self.tmp.mkdir(parents=True)
        hooks = folder / "hooks"
        hooks.mkdir()
        (hooks / "sitecustomize.py").write_text(_AT_DEBUG)
        unwanted = ("ANYTUNE_", "OPENAI_", "AZURE_", "HF_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)} | {
            "ANYTUNE_HOME": str(self.home),
            "TMPDIR": str(self.tmp),
            "CANARY_LOG": str(self.log),
            "PYTHONPATH": str(hooks),
            "WANDB_API_KEY": CANARIES["wandb key"],
            "HF_TOKEN": CANARIES["hf token"],
            "HF_HUB_OFFLINE": "1",
            "GOMP_SPINCOUNT": "0",
            **environment,
        }
        self.printed: dict[str, str] = {}
        self.codes: dict[str, int] = {}
        self.arguments: set[str] = set()
        self.environments: dict[str, str] = {}
        self._over = threading.Event()

    def __enter__(self):
        self._looker = threading.Thread(target=self._look)
        self._looker.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._looker.join()
        for process in self._ours():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def __call__(self, *arguments, stdin=""):
        return self.python("-m", "anytune.cli", *arguments, stdin=stdin)

    def each(self, *commands):
        """Give several commands in one process, which starts once; each has streams of its own in what is printed."""
        program, given = self.folder / "each.py", self.folder / "commands.json"
        program.write_text(_EACH)
        given.write_text(json.dumps(commands))
        done = subprocess.run(
            [sys.executable, program, given], cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=280, check=False
        )
        for stream, text in (("stdout", done.stdout), ("stderr", done.stderr)):
            for number, part in enumerate(text.split("\x1e")[1:]):
                self.printed[f"{stream} of {number:02} {' '.join(commands[number][0])[:40]}"] = part
            self.printed[f"{stream} before"] = text.split("\x1e")[0]
        self.codes |= {line.split()[1]: int(line.split()[2]) for line in done.stderr.splitlines() if line.startswith("ENDED ")}
        return done

    def python(self, *arguments, stdin=""):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        name = f"{len(self.printed) // 2:02} {' '.join(arguments)[-40:]}"
        self.printed |= {f"stdout of {name}": done.stdout, f"stderr of {name}": done.stderr}
        self.codes[name] = done.returncode
        return done

    def sinks(self):
        """Give all that can be read now, by where it is."""
        found = {name: text.encode() for name, text in self.printed.items()}
        for root in (self.home, self.tmp):
            for path in sorted(root.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    found[str(path.relative_to(self.folder))] = path.read_bytes()
        found["debug log"] = self.log.read_bytes() if self.log.exists() else b""
        found["arguments"] = "\n".join(self.arguments).encode()
        return found | {f"environment of {name}": text.encode() for name, text in self.environments.items()}

    def leaks(self, secrets=CANARIES, allowed=lambda secret, sink: False):
        """Name each secret and where it was found."""
        return sorted(
            f"{secret} in {sink}"
            for sink, content in self.sinks().items()
            for secret in secrets
            if any(form in content for form in forms(CANARIES[secret])) and not allowed(secret, sink)
        )

    def _ours(self):
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid != os.getpid() and process.environ().get("ANYTUNE_HOME") == str(self.home):
                    yield process

    def _look(self):
        while not self._over.wait(0.05):
            for process in self._ours():
                with contextlib.suppress(psutil.Error):
                    line = " ".join(process.cmdline())
                    self.arguments.add(line)
                    if "anytune.cli" not in line and "each.py" not in line:  # a command has what its caller gave it
                        self.environments[line] = "\n".join(f"{name}={value}" for name, value in process.environ().items())


def forms(secret):
    """Give the ways in which a text is written down: as it is, in JSON, in a URL, in a log of bytes."""
    from urllib.parse import quote, quote_plus

    return {text.encode() for text in (secret, json.dumps(secret)[1:-1], quote(secret), quote_plus(secret), repr(secret)[1:-1])}
