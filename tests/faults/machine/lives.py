"""The state machine: what may happen to jobs in any order, and what must hold after each step (the rows of facts/reliability.md, section 8).

A step is one deed of one process (or of somebody in the provider's portal, or of the clocks), which may end in that process's death or in
its being held while another acts. The model beside it is plain: what was seen of each row, what the provider holds, and who asked for what.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.faults.machine.world import SETTLE_S, World

from anytune import FineTuneJob
from anytune.errors import AnytuneError
from anytune.ledger import Ledger, sweep
from anytune.testing import Fault, Faults, Life
from anytune.testing.course import word_of
from anytune.testing.life import status_of

NAMES = ("basil", "rice", "garlic", "onion", "salmon", "flour")
RATES = (1e-4, 2e-4)
RANK = {"submitting": 0, "queued": 1, "running": 2, "paused": 2, "succeeded": 3, "failed": 3, "cancelled": 3}
ENDED = {"succeeded", "failed", "cancelled"}
LIVES = (
    Life.of(queued=1, steps=3, end=None, tick_s=100),
    Life.of(queued=1, steps=4, end="succeeded", tick_s=1500),
    Life.of(queued=1, steps=2, end="failed", tick_s=2500),
    Life.of(queued=2, steps=3, end=None, tick_s=150),
)

names, rates = st.sampled_from(NAMES), st.sampled_from(RATES)
who = st.integers(0, 2)
"""Which process: two of them on one host, the third on another."""
deeds = st.one_of(
    st.tuples(st.just("create"), names, rates, st.booleans()),
    st.tuples(st.sampled_from(("refresh", "cancel", "pause", "resume", "told")), names),
    st.just(("sweep",)),
)
points = st.one_of(
    st.integers(1, 60), st.sampled_from(("before submit", "after submit", "before upload", "before cancel", "before poll", "before commit"))
)
fates = st.one_of(
    st.none(),
    st.none(),
    st.tuples(st.just("dies"), points),
    st.tuples(st.just("held"), points, who, deeds, st.sampled_from((0.0, 30.0, 1000.0))),
)
creates = st.sampled_from(("drop_reply", "late_commit", "server_error", "rate_limit", "reject", "auth", "vendor_error"))
delays_s = st.sampled_from((5.0, 25.0, 300.0))
lags_s = st.sampled_from((0.0, 0.0, 25.0, 400.0))


def template(folder: Path) -> Path:
    """Make a migrated, empty ledger to copy."""
    path = folder / "template.db"
    Ledger.open(f"sqlite:///{path}").close()
    return path


class Lives(RuleBasedStateMachine):
    """All that may happen. `steps` and `happened` count what did, over all examples."""

    template: Path
    room: Path
    steps = 0
    examples = 0
    happened: ClassVar[Counter[str]] = Counter()

    @initialize(lives=st.permutations(LIVES))
    def begin(self, lives):
        type(self).examples += 1
        self.world = World(self.room, self.template, lives=tuple(lives))
        self.processes = [self.world.process(host) for host in ("here", "here", "there")]
        self.seen: dict[str, dict] = {}
        self.asked_to_end: set[str] = set()
        self.portal: dict[str, str] = {}
        """What somebody did to a job in the portal: `deleted`, or `edited` (its tag is no longer ours)."""
        self.do(0, ("create", NAMES[0], RATES[0], False), None)

    def teardown(self):
        if not hasattr(self, "world"):
            return
        try:
            self.everything_settles()
            self.check_rows()
            assert self.world.raw("PRAGMA integrity_check") == [("ok",)]
        finally:
            self.world.close()
            shutil.rmtree(self.room, ignore_errors=True)

    # ---- deeds of processes

    @rule(who=who, name=names, rate=rates, new=st.booleans(), fate=fates)
    def submit(self, who, name, rate, new, fate):
        self.do(who, ("create", name, rate, new), fate)

    @rule(who=who, name=names, fate=fates)
    def look(self, who, name, fate):
        self.do(who, ("refresh", name), fate)

    @rule(who=who, name=names, fate=fates)
    def listen(self, who, name, fate):
        self.do(who, ("told", name), fate)

    @rule(who=who, name=names, fate=fates)
    def cancel(self, who, name, fate):
        self.do(who, ("cancel", name), fate)

    @rule(who=who, name=names, verb=st.sampled_from(("pause", "resume")), fate=fates)
    def pause_or_resume(self, who, name, verb, fate):
        self.do(who, (verb, name), fate)

    @rule(who=who, fate=fates)
    def sweep(self, who, fate):
        self.do(who, ("sweep",), fate)

    @precondition(lambda self: self.world.jobs())
    @rule(who=who, nth=st.integers(0, 5), fate=fates)
    def attach(self, who, nth, fate):
        existing = sorted(self.world.jobs())
        self.do(who, ("attach", existing[nth % len(existing)]), fate)

    @rule(who=who)
    def reopen(self, who):
        self.renew(who)

    # ---- faults, of which the next calls get one

    @rule(who=who, name=names, rate=rates, kind=creates, delay_s=delays_s, lag_s=lags_s, fate=fates, after=st.none() | deeds)
    def submit_in_trouble(self, *, who, name, rate, kind, delay_s, lag_s, fate, after):
        self.listings_lag(lag_s)
        self.the_next_create_goes_wrong(kind, delay_s)
        self.do(who, ("create", name, rate, True), fate)
        if after is not None:
            self.do(who, after, None)

    @rule(kind=creates, delay_s=delays_s)
    def the_next_create_goes_wrong(self, kind, delay_s):
        late = delay_s if kind == "late_commit" else 0.0
        self.world.honest &= late < SETTLE_S / 2
        self.wrong(Fault(kind=kind, on="submit", skip=self.calls("submit"), delay_s=late))

    @rule(
        verb=st.sampled_from(("find", "poll", "cancel", "upload", "events", "file_ready", "find_file")),
        kind=st.sampled_from(("drop_reply", "server_error", "auth", "vendor_error")),
        times=st.sampled_from((1, 2, 7)),
    )
    def the_next_calls_go_wrong(self, verb, kind, times):
        self.wrong(Fault(kind=kind, on=verb, skip=self.calls(verb), times=times))

    @rule(lag_s=lags_s)
    def listings_lag(self, lag_s):
        self.world.honest &= lag_s < SETTLE_S / 2
        self.world.faults = self.world.faults.model_copy(update={"list_lag_s": lag_s})

    @rule(ignored=st.booleans())
    def the_filter_is_ignored(self, ignored):
        self.world.faults = self.world.faults.model_copy(update={"ignored_filter": ignored})

    # ---- the clocks

    @rule(seconds=st.sampled_from((1.0, 50.0, 1000.0)))
    def time_passes(self, seconds):
        self.world.sleep(seconds)

    @rule(host=st.sampled_from(("here", "there")), days=st.sampled_from((-400.0, -2.0, -0.01, 0.0, 0.01, 2.0, 400.0)))
    def the_wall_clock_jumps(self, host, days):
        self.world.skew[host] = days * 86_400

    @rule()
    def the_ledger_moves_to_another_machine(self):
        self.world.move()
        for nth, process in enumerate(self.processes):
            process.host = f"moved-{nth}"
            self.world.uptime[process.host] = 5_000_000.0 * (nth + 1)
            self.renew(nth)

    # ---- other people

    @rule(kind=st.sampled_from(("untagged", "another ledger's", "our tag, another hash")))
    def somebody_else_makes_a_job(self, kind):
        ref = {"untagged": "", "another ledger's": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}.get(kind)
        rows = self.rows()
        if ref is None and rows:  # a copy of our job's metadata onto another one: it says our tag, and another spec
            self.world.plant(f"theirs-{len(self.world.foreign)}", ref=min(rows), spec_hash="1:" + "f" * 64, ledger=self.world.uuid)
            self.portal[f"theirs-{len(self.world.foreign) - 1}"] = "edited"
        else:
            self.world.plant(f"theirs-{len(self.world.foreign)}", ref=ref or "", ledger="01ARZ3NDEKTSV4RRFFQ69G5FAV")

    @precondition(lambda self: self.own())
    @rule(nth=st.integers(0, 5), deed=st.sampled_from(("cancelled", "deleted", "untagged", "another hash")))
    def somebody_uses_the_portal(self, nth, deed):
        own = self.own()
        job_id = own[nth % len(own)]
        with self.world.store.change() as state:
            job = state.jobs[job_id]
            if deed == "cancelled":
                job.cancelled = job.cancelled or not status_of(word_of(job)).terminal
            elif deed == "deleted":
                del state.jobs[job_id]
                self.portal[job_id], self.world.honest = "deleted", False
            else:
                job.ref, job.spec_hash = ("", "") if deed == "untagged" else (job.ref, "1:" + "e" * 64)
                self.portal[job_id], self.world.honest = "edited", False
        type(self).happened[f"portal: {deed}"] += 1

    # ---- what must come of it

    @rule()
    def everything_settles(self):
        """Nothing goes wrong any more and time passes: each row finds its job, and no job goes on that no row has."""
        self.world.faults = Faults()
        self.world.sleep(2000.0)
        for nth in range(3):
            self.renew(nth)
        for _ in range(2):
            for nth in (0, 2):
                for row in self.rows().values():
                    if row["status"] not in ENDED:
                        self.do(nth, ("refresh", row["id"]), None)
                answer = self.do(nth, ("sweep",), None)
                assert not isinstance(answer, AnytuneError) or self.tampered(), answer
        self.check_settled()

    def check_settled(self):
        rows, jobs = self.rows(), self.world.jobs()
        held = {row["remote_id"]: row for row in rows.values()}
        live = [job for job in self.world.live() if job.id not in self.portal]
        for job in live:
            row = held.get(job.id)
            assert row is not None, f"{job.id} goes on and no row has it (lost, or a second one of {rows.get(job.ref)})"
            assert not row["cancel_requested"], f"{row['name']} shall end, and {job.id} goes on: {row}"
        for name in NAMES:
            mine = [job.id for job in live if rows[job.ref]["name"] == name]
            assert len(mine) <= 1, f"{mine} all go on for {name}"
        for row in rows.values():
            if row["status"] in ENDED or self.tampered():
                continue
            assert row["submit_state"] == "submitted", f"nothing came of {row}"
            assert row["remote_id"] in jobs, f"{row} has a job that nobody made"

    @invariant()
    def check_rows(self):
        if not hasattr(self, "world"):
            return
        type(self).steps += 1
        assert not self.world.complaints, self.world.complaints
        for row in self.rows().values():
            self.check_moved(self.seen.get(row["id"]), row)
            self.check_true(row)
            self.seen[row["id"]] = row
        if self.world.honest:
            made = Counter(job.ref for job in self.world.jobs().values() if job.id not in self.world.foreign)
            assert all(count == 1 for count in made.values()), f"two jobs were made, though each was found in time: {made}"

    def check_moved(self, old, new):
        if old is None or old["submit_state"] == "rejected":
            return
        assert new["fence"] >= old["fence"], f"a fence went back: {old} → {new}"
        assert old["remote_id"] in {None, new["remote_id"]}, f"the job of a row was exchanged: {old} → {new}"
        if old["status"] in ENDED:
            same = ("status", "ended_at", "remote_id")
            assert [new[each] for each in same] == [old[each] for each in same], f"an end was overwritten: {old} → {new}"
        elif "unknown" not in {old["status"], new["status"]} and (old["status"], new["status"]) != ("paused", "queued"):
            assert RANK[new["status"]] >= RANK[old["status"]], f"{old} → {new}"
        assert old["cancel_requested"] <= new["cancel_requested"], "a wish to end was forgotten"

    def check_true(self, row):
        """Nothing is said that the provider did not say."""
        job = self.world.state.jobs.get(row["remote_id"]) if row["remote_id"] else None
        if row["status"] not in ENDED:
            return
        if row["remote_id"] is None:
            assert row["submit_state"] == "rejected" or (row["status"] == "cancelled" and row["cancel_requested"]), f"nobody ended {row}"
        elif job is None:
            assert self.portal.get(row["remote_id"]) == "deleted", f"{row} has a job that nobody made"
            before = self.seen.get(row["id"], {}).get("status")
            assert before in ENDED, f"{row['name']} ended as {row['status']} because its job was not found"
        else:
            assert status_of(word_of(job)).value == row["status"], f"{row} is {word_of(job)} at the provider"

    # ---- means

    def do(self, nth, deed, fate):
        """Let a process do something, die at a point of it, or be held there while another acts."""
        process = self.processes[nth]
        die_at = held_at = meanwhile = None
        if fate is not None and fate[0] == "dies":
            die_at = fate[1]
        elif fate is not None and fate[2] != nth:
            _, held_at, other, theirs, seconds = fate
            self.world.honest = False

            def meanwhile():
                type(self).happened["held"] += 1
                self.world.sleep(seconds)
                self.do(other, theirs, None)
                try:
                    self.check_rows()
                except AssertionError as error:  # what is held here would take it for its backend's
                    self.world.complaints.append(str(error))

        answer = process.act(lambda: self.deed(process, *deed), die_at=die_at, held_at=held_at, meanwhile=meanwhile)
        type(self).happened[f"{deed[0]}: {self.word(answer, process)}"] += 1
        if process.dead:
            self.renew(nth)
        return answer

    def deed(self, process, verb, *arguments):
        if verb == "create":
            name, rate, new_attempt = arguments
            return process.create(name, rate, new_attempt=new_attempt)
        if verb == "sweep":
            return sweep(process.context.ledger, process.backend, retry=process.context.retry)
        if verb == "attach":
            return self.attached(process, arguments[0])
        job = process.get(arguments[0])
        if verb == "told":
            told = [event.id for event in job.events()]
            assert told == sorted(set(told)), f"events came twice or in disorder: {told}"
            return told
        return getattr(job, verb)()

    def attached(self, process, job_id):
        row = self.rows().get(self.world.state.jobs[job_id].ref)
        doubtful = row is not None and row["submit_state"] == "in_doubt" and job_id not in self.portal
        return FineTuneJob.attach(process.backend, job_id, name=row["name"] if doubtful else f"attached-{job_id}", context=process.context)

    def renew(self, nth):
        self.processes[nth].dead = True
        self.processes[nth] = self.world.process(self.processes[nth].host)

    def word(self, answer, process):
        return "died" if process.dead else type(answer).__name__ if isinstance(answer, AnytuneError) else "done"

    def wrong(self, fault):
        type(self).happened[f"fault: {fault.on} {fault.kind}"] += 1
        calls = tuple(each for each in self.world.faults.calls if each.on != fault.on)
        self.world.faults = self.world.faults.model_copy(update={"calls": (*calls, fault)})

    def calls(self, verb):
        return self.world.state.counts.get(verb, 0)

    def own(self):
        return [job_id for job_id in sorted(self.world.jobs()) if job_id not in self.world.foreign]

    def tampered(self):
        """Whether somebody changed tags or deleted jobs: then a row may rightly stay in doubt, or be without its job."""
        return bool(self.portal)

    def rows(self):
        columns = ("id", "name", "attempt", "submit_state", "status", "fence", "remote_id", "cancel_requested", "ended_at", "error")
        found = self.world.raw(f"SELECT {', '.join(columns)} FROM anytune_jobs ORDER BY sequence")
        return {row[0]: dict(zip(columns, row, strict=True)) for row in found}


def counted(folder: Path) -> type[Lives]:
    """Make a machine with counts of its own, whose worlds are in a folder in memory where there is one."""
    memory = Path("/dev/shm")
    room = Path(tempfile.mkdtemp(prefix="anytune-lives-", dir=memory if memory.is_dir() else folder))
    return type("Counted", (Lives,), {"template": template(folder), "room": room, "steps": 0, "examples": 0, "happened": Counter()})


def figures(machine: type[Lives]) -> str:
    """Give what happened in all examples as JSON."""
    return json.dumps({"examples": machine.examples, "steps": machine.steps, "happened": dict(sorted(machine.happened.items()))}, indent=1)


__all__ = ["Lives", "counted", "figures", "template"]
