"""A run's numbers, from result files of every kind and from events."""

from __future__ import annotations

import base64
import logging
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some
from openai import OpenAI

from anytune.testing.simulators.service import Reply, Service
from anytune_openai.results import measured, metrics, table

OPENAI = b"step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n1,1.52347,0.61538,,\n2,0.9,0.7,1.1,0.65\n3,0.42,0.8875,,\n"
AZURE = (
    b"step,train_loss,train_mean_token_accuracy,valid_loss,validation_mean_token_accuracy,full_valid_loss,full_valid_mean_token_accuracy\r\n"
    b"1,2.1,0.5,2.2,0.45,,\r\n"
    b"2,1.4,0.6,1.9,0.55,1.8,0.58\r\n"
)
REINFORCEMENT = b"step,train_reward_mean,train_reasoning_tokens_mean,valid_reward_mean,valid_reasoning_tokens_mean\n1,0.31,512.5,,\n2,0.44,498,0.4,505\n"
SECRET = "the patient's name is Agnes"
ENDED = 1_790_000_500


class Contents(Service):
    """A host that has nothing but contents of files."""

    routes = (("GET", "/files/{id}/content", "content"),)
    files: dict[str, bytes] = {}  # noqa: RUF012 - set by each test

    def content(self, request, id):  # noqa: A002 - the route's name for it
        if id not in self.files:
            return self.missing(request)
        return Reply(self.files[id], headers={"Content-Type": "application/octet-stream"})

    def missing(self, request):
        return Reply(
            {"error": {"message": "No such File object", "type": "invalid_request_error", "param": "id", "code": None}}, status=404
        )

    def refusal(self, name, request):
        return Reply({"error": {"message": "The server had an error", "type": "server_error", "param": None, "code": None}}, status=500)


@pytest.fixture
def host():
    with Contents() as service:
        service.files = {}
        yield service


@pytest.fixture
def client(host):
    with OpenAI(base_url=host.url, api_key="sk-any", max_retries=0) as made:
        yield made


def job(*files, **fields):
    return {"id": "ftjob-1", "status": "succeeded", "result_files": list(files), "finished_at": ENDED} | fields


def told(step, at, **numbers):
    return {"id": f"ftevent-{step}", "created_at": at, "type": "metrics", "message": f"Step {step}", "data": {"step": step, **numbers}}


def test_a_result_file_is_read_by_hugging_faces_names():
    assert table(OPENAI) == {
        1: {"loss": 1.52347, "mean_token_accuracy": 0.61538},
        2: {"loss": 0.9, "mean_token_accuracy": 0.7, "eval_loss": 1.1, "eval_mean_token_accuracy": 0.65},
        3: {"loss": 0.42, "mean_token_accuracy": 0.8875},
    }


@pytest.mark.parametrize("wrap", [base64.b64encode, base64.encodebytes], ids=["one line", "lines of 76"])
def test_a_result_file_in_base64_is_the_same(wrap):
    assert table(wrap(OPENAI)) == table(OPENAI)


def test_a_byte_order_mark_changes_nothing():
    assert table(b"\xef\xbb\xbf" + OPENAI) == table(base64.b64encode(b"\xef\xbb\xbf" + OPENAI)) == table(OPENAI)


def test_azures_columns_become_the_same_names_and_full_ones_stay():
    assert table(AZURE)[2] == {
        "loss": 1.4,
        "mean_token_accuracy": 0.6,
        "eval_loss": 1.9,
        "eval_mean_token_accuracy": 0.55,
        "full_valid_loss": 1.8,
        "full_valid_mean_token_accuracy": 0.58,
    }


def test_reinforcements_columns_stay_as_they_are():
    assert table(REINFORCEMENT)[1] == {"train_reward_mean": 0.31, "train_reasoning_tokens_mean": 512.5}
    assert table(REINFORCEMENT)[2]["valid_reward_mean"] == 0.4


@pytest.mark.parametrize("cell", ["", "nan", "inf", "-inf", "n/a", "1e999"])
def test_a_cell_without_a_finite_number_is_left_out(cell):
    assert table(f"step,train_loss,valid_loss\n1,0.5,{cell}\n".encode()) == {1: {"loss": 0.5}}


def test_a_row_without_a_step_is_left_out():
    assert table(b"step,train_loss\n,0.5\n1.5,0.5\n-1,0.5\nlast,0.5\n2.0,0.25\n") == {2: {"loss": 0.25}}


def test_numbers_of_two_rows_of_one_step_are_joined():
    assert table(b"step,train_loss,valid_loss\n1,0.5,\n1,,0.75\n") == {1: {"loss": 0.5, "eval_loss": 0.75}}


ODD = {
    "empty": b"",
    "html": b"<!doctype html><p>Sign in, please</p>",
    "json": b'{"error": {"message": "no"}}',
    "jsonl": b'{"step": 1, "train_loss": 0.5}\n',
    "binary": bytes(range(256)) * 20,
    "nul": b"step,train_loss\n\x001,0.5\x00\n",
    "not base64": b"step;train_loss",
    "base64 of nothing": base64.b64encode(b"\x00" * 300),
    "base64 of text": base64.b64encode(SECRET.encode()),
    "other columns": b"epoch,loss\n1,0.5\n",
    "a header alone": b"step,train_loss\n",
    "an endless cell": b'step,train_loss\n"' + b"x" * 200_000,
    "text": SECRET.encode(),
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD.keys())
def test_an_odd_file_gives_nothing_and_no_exception(content):
    assert table(content) == {}


@given(some.binary(max_size=400))
def test_no_file_at_all_raises(content):
    for step, values in table(content).items():
        assert step >= 0
        assert all(math.isfinite(value) for value in values.values())


def test_an_odd_file_is_logged_without_its_content(caplog):
    with caplog.at_level(logging.DEBUG, logger="anytune_openai"):
        table(f"{SECRET}\n{SECRET}".encode())
    assert "no table of steps" in caplog.text
    assert "Agnes" not in caplog.text


def test_measured_takes_numbers_alone():
    assert measured({"step": 4, "total_steps": 9, "train_loss": 0.5, "note": "x", "flag": True, "none": None, "nan": math.nan}) == {
        "loss": 0.5
    }
    assert measured(None) == {}


def test_a_finished_jobs_numbers_come_from_its_result_file(client, host):
    host.files["file-r"] = base64.b64encode(OPENAI)
    seen = metrics(client, job("file-r"), [told(1, ENDED - 60, train_loss=1.5)])
    assert [(metric.step, metric.values["loss"]) for metric in seen] == [(1, 1.52347), (2, 0.9), (3, 0.42)]


def test_a_step_has_the_time_of_its_event_else_of_the_jobs_end(client, host):
    host.files["file-r"] = OPENAI
    seen = metrics(client, job("file-r"), [told(1, ENDED - 60, train_loss=1.5)])
    assert [metric.at for metric in seen][:2] == [datetime.fromtimestamp(ENDED - 60, UTC), datetime.fromtimestamp(ENDED, UTC)]


def test_several_result_files_are_joined_by_step(client, host):
    host.files |= {"file-a": b"step,train_loss\n1,0.5\n2,0.4\n", "file-b": b"step,valid_loss\n2,0.6\n3,0.55\n"}
    seen = metrics(client, job("file-a", "file-b"), [])
    assert [(metric.step, metric.values) for metric in seen] == [
        (1, {"loss": 0.5}),
        (2, {"loss": 0.4, "eval_loss": 0.6}),
        (3, {"eval_loss": 0.55}),
    ]


def test_a_running_jobs_numbers_come_from_its_events(client):
    events = [
        {"id": "e0", "created_at": 1, "type": "message", "message": "Created fine-tuning job", "data": None},
        told(1, 10, train_loss=0.5, total_steps=3, train_mean_token_accuracy=0.7),
        told(2, 20, train_loss=0.4, valid_loss=0.45, full_valid_loss=0.47),
        {"id": "e3", "created_at": 30, "type": "message", "message": "Checkpoint created", "data": {}},
    ]
    seen = metrics(client, job(status="running", finished_at=None, result_files=[]), events)
    assert [(metric.step, metric.values) for metric in seen] == [
        (1, {"loss": 0.5, "mean_token_accuracy": 0.7}),
        (2, {"loss": 0.4, "eval_loss": 0.45, "full_valid_loss": 0.47}),
    ]
    assert seen[0].at == datetime.fromtimestamp(10, UTC)


def test_events_that_come_twice_or_in_disorder_give_rising_steps(client):
    events = [told(2, 20, train_loss=0.4), told(1, 10, train_loss=0.5), told(2, 21, valid_loss=0.6)]
    seen = metrics(client, job(result_files=None), events)
    assert [(metric.step, metric.values) for metric in seen] == [(1, {"loss": 0.5}), (2, {"loss": 0.4, "eval_loss": 0.6})]


@pytest.mark.parametrize("content", [None, ODD["html"], ODD["binary"]], ids=["deleted", "html", "binary"])
def test_events_tell_where_the_result_file_does_not(client, host, content):
    if content is not None:
        host.files["file-r"] = content
    seen = metrics(client, job("file-r"), [told(1, 10, train_loss=0.5)])
    assert [(metric.step, metric.values) for metric in seen] == [(1, {"loss": 0.5})]


@pytest.mark.parametrize("files", [None, [], "file-r", [None, 7, ""]])
def test_a_job_that_names_no_result_files_gives_its_events(client, files):
    seen = metrics(client, job(result_files=files), [told(1, 10, train_loss=0.5)])
    assert [metric.step for metric in seen] == [1]
