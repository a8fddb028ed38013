"""A runner over a book, a store and the durable memory backend, without HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path

import pytest
from tests.server.waiting import until

from anytune.runtime import Runtime
from anytune.server.book import Book
from anytune.server.config import ServeConfig
from anytune.server.metrics import Metrics
from anytune.server.store import Store
from anytune.server.training.clerk import Clerk
from anytune.server.training.desk import Return
from anytune.server.training.runner import Runner
from anytune.testing import DurableMemoryBackend

ROWS = [{"messages": [{"role": "user", "content": f"question {n}"}, {"role": "assistant", "content": f"answer {n}"}]} for n in range(12)]


class Desk:
    """Does errands in a thread of this process: a clerk's own process costs a second, which few tests need."""

    def __init__(self, wake):
        self.wake, self.out, self.back = wake, {}, []

    def lock(self, order):
        return Path(os.devnull)

    def busy(self, phase):
        return sum(each == phase for each in self.out.values())

    def has(self, order):
        return order in self.out

    def send(self, errand):
        def do():
            context = Runtime(ledger_url=errand.ledger)
            status = Clerk(errand, context).run()
            context.ledger.close()
            self.back.append(Return(errand.order, errand.phase, status))
            self.wake()

        self.out[errand.order] = errand.phase
        threading.Thread(target=do, daemon=True).start()

    def returned(self):
        found, self.back = self.back, []
        for each in found:
            del self.out[each.order]
        return found

    def recall(self, order):
        pass

    def close(self):
        until(lambda: len(self.back) == len(self.out))


class Shop:
    """A server's training half, that can be stopped and opened again.

    With `processes` clerks are what they are outside of tests.
    """

    rows = ROWS

    def __init__(self, folder, *, processes=False, **settings):
        self.config = ServeConfig(**({"backend": "memory", "poll_s": 0.05} | settings))
        self.folder = folder
        self.context = Runtime()
        self.book = Book(self.context.ledger.database)
        self.store = Store(folder / "server" / "files")
        self.metrics = Metrics()
        self.runner = Runner(self.config, self.context, self.book, self.store, self.metrics)
        if not processes:
            self.runner._desk = Desk(self.runner.wake)

    def open(self):
        asyncio.run(self.runner.start())
        return self

    def close(self):
        asyncio.run(self.runner.stop())
        self.context.ledger.close()

    def file(self, rows=ROWS, owner="ann"):
        number = len(self.book.files.listed(None)[0])
        file_id = f"file-{number:024d}"
        content = rows if isinstance(rows, bytes) else "".join(json.dumps(row) + "\n" for row in rows).encode()
        size, sha256 = self.store.put(file_id, content)
        self.book.files.add(owner, file_id, "rows.jsonl", "fine-tune", size, sha256)
        return file_id

    def order(self, owner="ann", *, training_file=None, model="starter", **fields):
        request = {"model": model, "training_file": training_file or self.file(owner=owner)} | fields
        target = {"backend": "memory", "model": model}
        order, _ = self.book.jobs.add(owner, request, model, target)
        self.runner.wake()
        return order

    def now(self, order):
        return self.book.jobs.get(order.id, None)

    def ended(self, order):
        return until(lambda: self.now(order).ended and self.now(order), f"the end of {self.now(order)}")

    def told(self, order):
        """Give the events, oldest first."""
        return list(reversed(self.book.events.listed(order.id, limit=1000)[0]))

    def messages(self, order):
        return [event.message for event in self.told(order)]

    @property
    def calls(self):
        return DurableMemoryBackend().calls


@pytest.fixture
def shop(home):
    shops = []

    def make(**settings):
        shops.append(Shop(home, **settings))
        return shops[-1]

    yield make
    for each in shops:
        each.close()
