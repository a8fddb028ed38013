"""Checkpoints on their way: the newest wins, training never waits, and what the program deletes meanwhile is pushed all the same."""

from __future__ import annotations

import shutil
import threading

import pytest

from anytune.errors import Rejected, Unreachable
from anytune_huggingface.compute.pusher import Pusher, patiently


@pytest.fixture
def checkpoint(tmp_path):
    def make(step):
        folder = tmp_path / "checkpoints" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "weights").write_text(str(step))
        return folder

    return make


@pytest.fixture
def pushes(tmp_path):
    """A pusher whose pushes wait for `go`, with what it pushed and said."""

    class Pushes:
        pushed, said, go, began = [], [], threading.Event(), threading.Event()

        def push(self, folder):
            self.began.set()
            assert self.go.wait(10)
            self.pushed.append((folder.name, (folder / "weights").read_text()))

        def tell(self, name, error):
            self.said.append((name, error))

    made = Pushes()
    made.pushed, made.said, made.go, made.began = [], [], threading.Event(), threading.Event()
    made.pusher = Pusher(made.push, tmp_path / "scratch", made.tell, every_s=0)
    return made


def test_the_newest_wins_while_one_is_under_way(pushes, checkpoint):
    pushes.pusher.offer(checkpoint(1))
    assert pushes.began.wait(10)
    for step in (2, 3, 4):
        pushes.pusher.offer(checkpoint(step))
    pushes.go.set()
    assert pushes.pusher.drain(10)
    assert pushes.pushed == [("checkpoint-1", "1"), ("checkpoint-4", "4")]


def test_a_checkpoint_that_is_deleted_meanwhile_is_pushed_whole(pushes, checkpoint):
    folder = checkpoint(1)
    pushes.pusher.offer(folder)
    shutil.rmtree(folder)
    pushes.go.set()
    assert pushes.pusher.drain(10)
    assert pushes.pushed == [("checkpoint-1", "1")]


def test_the_same_one_is_pushed_once(pushes, checkpoint):
    folder = checkpoint(1)
    pushes.go.set()
    pushes.pusher.offer(folder)
    pushes.pusher.offer(folder)
    assert pushes.pusher.drain(10)
    pushes.pusher.offer(folder)
    assert pushes.pusher.drain(10)
    assert len(pushes.pushed) == 1


def test_what_is_not_pushed_in_time_is_said(pushes, checkpoint):
    pushes.pusher.offer(checkpoint(1))
    assert not pushes.pusher.drain(0.05)
    pushes.go.set()
    assert pushes.pusher.drain(10)


def test_the_hub_is_asked_again_where_it_could_not_be_reached():
    waits, answers = [], iter([Unreachable("gone"), Unreachable("gone"), None])

    def call():
        error = next(answers)
        if error:
            raise error

    patiently(call, wait=waits.append)
    assert waits == [1, 2]


def test_an_outage_of_minutes_is_waited_for_and_one_of_an_hour_is_not():
    waits = []

    def call():
        raise Unreachable("gone")

    with pytest.raises(Unreachable):
        patiently(call, wait=waits.append)
    assert max(waits) == 60
    assert 300 < sum(waits) <= 600


def test_a_refusal_is_not_asked_again():
    def call():
        raise Rejected("no")

    with pytest.raises(Rejected):
        patiently(call, wait=pytest.fail)
