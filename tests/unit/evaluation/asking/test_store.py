"""Answers on disk: each at once, for the owner only, and none lost to what a killed program or a power cut leaves."""

from __future__ import annotations

import resource
import stat
import tracemalloc

import pytest

from anytune.errors import ConfigError
from anytune.evaluation.asking import Store
from anytune.evaluation.asking.store import Key, Line


def line(number: int, *, error: str = "", repeat: int = 0) -> Line:
    text = None if error else f"answer {number} äöü"
    usage = {} if error else {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    return Line(case=f"{number:016x}", arm="base", repeat=repeat, request=f"{number:064x}", text=text, error=error, usage=usage, model="m")


def key(number: int, repeat: int = 0) -> Key:
    return Key(bytes.fromhex(f"{number:064x}"), repeat)


def filled(folder, count: int = 3) -> None:
    with Store(folder) as store:
        for number in range(count):
            store.append(line(number))


def test_an_answer_is_in_the_file_as_soon_as_it_came(tmp_path):
    with Store(tmp_path) as store:
        store.append(line(1))
        assert "answer 1 äöü" in (tmp_path / "answers.jsonl").read_text()
        assert store.get(key(1)).text == "answer 1 äöü"
        assert store.get(key(2)) is None


def test_answers_are_for_their_owner_only(tmp_path):
    filled(tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new" / "answers.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


@pytest.mark.parametrize("cut", [1, 20, 150])
def test_a_torn_last_line_is_cut_off_and_the_rest_is_kept(cut, tmp_path):
    filled(tmp_path)
    path = tmp_path / "answers.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    with Store(tmp_path) as store:
        assert key(0) in store
        assert key(1) in store
        assert key(2) not in store
        store.append(line(2))
    with Store(tmp_path) as store:
        assert [store.get(key(number)).text for number in range(3)] == [f"answer {number} äöü" for number in range(3)]


def test_a_page_that_a_power_cut_left_empty_costs_only_its_answers(tmp_path):
    filled(tmp_path)
    path = tmp_path / "answers.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\0" * (len(lines[1]) - 1) + b"\n" + lines[2])
    with Store(tmp_path) as store:
        assert [key(number) in store for number in range(3)] == [True, False, True]
        assert store.get(key(2)).text == "answer 2 äöü"


def test_a_failed_answer_can_be_read_and_counts_as_not_there(tmp_path):
    with Store(tmp_path) as store:
        store.append(line(1, error="Rejected: no"))
        assert key(1) not in store
        assert store.get(key(1)).error == "Rejected: no"
        store.append(line(1))
        assert store.get(key(1)).text == "answer 1 äöü"
    with Store(tmp_path) as store:
        assert store.get(key(1)).text == "answer 1 äöü"
        assert len(store) == 1


def test_repeats_are_answers_of_their_own(tmp_path):
    with Store(tmp_path) as store:
        store.append(line(1))
        assert key(1, repeat=1) not in store


def test_what_answers_took_is_known_again_in_the_next_process(tmp_path):
    filled(tmp_path, 5)
    with Store(tmp_path) as store:
        tally = store.tallies["m"]
    assert (tally.answers, tally.counted, tally.prompt_tokens, tally.cached_tokens, tally.completion_tokens) == (5, 5, 50, 20, 10)


def test_a_long_answer_is_read_whole(tmp_path):
    with Store(tmp_path) as store:
        store.append(line(1).model_copy(update={"text": "x" * 100_000}))
        store.append(line(2))
        assert len(store.get(key(1)).text) == 100_000
        assert store.get(key(2)).text == "answer 2 äöü"


def test_what_arrives_after_the_end_is_dropped(tmp_path):
    with Store(tmp_path) as store:
        store.append(line(1))
    store.append(line(2))
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) == 1


def test_where_no_more_can_be_written_the_torn_line_is_mended_by_the_next_run(tmp_path):
    filled(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Store(tmp_path) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "answers.jsonl").stat().st_size + 50, limits[1]))
        try:
            with pytest.raises(ConfigError, match=r"cannot be written to: .*what was answered is kept"):
                store.append(line(3))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with Store(tmp_path) as store:
        assert [key(number) in store for number in range(4)] == [True, True, True, False]


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match="cannot be written to"):
        Store(tmp_path / "taken").__enter__()


def test_memory_holds_places_and_no_texts(tmp_path):
    text = "x" * 20_000
    with Store(tmp_path) as store:
        store.append(line(0))
        tracemalloc.start()
        for number in range(1, 1001):
            store.append(line(number).model_copy(update={"text": text}))
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (tmp_path / "answers.jsonl").stat().st_size > 20_000_000
    assert grown < 600_000
