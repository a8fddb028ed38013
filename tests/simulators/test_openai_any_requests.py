"""Whatever is asked of the simulated OpenAI, in whatever order: it never breaks, and every reply keeps to the contract."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from anytune.testing.simulators.errors import Refusal
from anytune.testing.simulators.orders import JobOrder, accepted

MINI = "gpt-4.1-mini-2025-04-14"

SCALARS = st.none() | st.booleans() | st.integers(-5, 2**40) | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8
)
NAMES = st.sampled_from(
    ["method", "hyperparameters", "suffix", "seed", "validation_file", "metadata", "integrations", "model", "training_file", "tools", "x"]
)
MESSAGES = st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "tool", "judge"]), "content": JSON}), max_size=3)
TOOLS = st.none() | JSON | st.just([{"type": "function", "function": {"name": "convert"}}])
QUERY = st.dictionaries(
    st.sampled_from(["limit", "after", "order", "purpose", "metadata", "metadata[a]"]), st.sampled_from(["1", "0", "b", "null", "asc", ""])
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("job"), st.dictionaries(NAMES, JSON, max_size=2), st.none()),
        st.tuples(
            st.just("chat"), st.fixed_dictionaries({"messages": MESSAGES | JSON, "tools": TOOLS, "stream": st.booleans()}), st.none()
        ),
        st.tuples(
            st.just("body"), JSON, st.sampled_from(["/fine_tuning/jobs", "/uploads", "/chat/completions", "/uploads/{upload}/complete"])
        ),
        st.tuples(st.just("file"), st.binary(max_size=40), st.sampled_from(["a.jsonl", "../../etc/passwd", "ä\n.jsonl", "a.jsonl\x00"])),
        st.tuples(st.just("raw"), st.binary(max_size=40), st.sampled_from(["/files", "/uploads/{upload}/parts", "/fine_tuning/jobs"])),
        st.tuples(
            st.just("GET"),
            QUERY,
            st.sampled_from(
                ["/fine_tuning/jobs", "/fine_tuning/jobs/{job}", "/fine_tuning/jobs/{job}/events", "/files", "/files/{file}/content"]
            ),
        ),
        st.tuples(
            st.just("POST"), st.none(), st.sampled_from([f"/fine_tuning/jobs/{{job}}/{verb}" for verb in ("cancel", "pause", "resume")])
        ),
        st.tuples(st.just("DELETE"), st.none(), st.sampled_from(["/files/{file}", "/models/{model}"])),
    ),
    max_size=14,
)


def take(ask, step, known):
    kind, content, path = step
    path = path if kind == "file" else (path or "").format(**known)
    match kind:
        case "job":
            order = {"model": MINI, "training_file": known["file"], **content}
            reply = ask("POST", "/fine_tuning/jobs", content=json.dumps(order), headers={"Content-Type": "application/json"})
            known["job"] = reply.json().get("id", known["job"])
        case "chat":
            ask("POST", "/chat/completions", content=json.dumps({"model": MINI, **content}), headers={"Content-Type": "application/json"})
        case "body":
            ask("POST", path, content=json.dumps(content), headers={"Content-Type": "application/json"})
        case "file":
            ask("POST", "/files", data={"purpose": "fine-tune"}, files={"file": (path, content)})
        case "raw":
            ask("POST", path, content=content, headers={"Content-Type": "multipart/form-data; boundary=x"})
        case "GET":
            reply = ask("GET", path, params=content)
            if "fine_tuned_model" in reply.text and path.endswith(known["job"]):
                known["model"] = reply.json()["fine_tuned_model"] or known["model"]
        case _:
            ask(kind, path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS, profile=st.sampled_from(["spec", "as_observed"]))
def test_no_sequence_of_requests_breaks_it(audited, rows, steps, profile):
    ask = audited(profile=profile)
    upload = ask("POST", "/uploads", json={"filename": "a.jsonl", "purpose": "fine-tune", "bytes": 4, "mime_type": "text/jsonl"}).json()[
        "id"
    ]
    known = {"file": ask.upload(rows.chat()), "job": ask.job().json()["id"], "upload": upload, "model": "ft:none"}
    for step in steps:
        take(ask, step, known)
    if profile == "spec":
        assert {value for _, _, value in ask.odd} <= {"paused"}
    ask.http.close()
    ask.provider.close()


SETTINGS = st.dictionaries(
    st.sampled_from(["n_epochs", "batch_size", "learning_rate_multiplier", "beta", "reasoning_effort", "x"]), JSON | st.just("auto")
)
METHODS = st.sampled_from(["supervised", "dpo", "reinforcement", "kto"]).flatmap(
    lambda word: st.fixed_dictionaries(
        {"type": st.just(word) | JSON, word: st.fixed_dictionaries({"hyperparameters": SETTINGS | JSON}) | JSON}
    )
)
ORDERS = st.fixed_dictionaries(
    {"model": st.just(MINI) | JSON, "training_file": st.just("file-1") | JSON},
    optional={
        "method": METHODS | JSON,
        "hyperparameters": SETTINGS | JSON,
        **dict.fromkeys(("suffix", "seed", "metadata", "integrations", "validation_file"), JSON),
    },
)


def refusal_of(order):
    try:
        accepted(JobOrder, order)
    except Refusal as refusal:
        return refusal.error._asdict()
    return None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(order=ORDERS)
@example(order={"model": MINI, "training_file": "file-1", "method": None})
@example(order={"model": MINI, "training_file": "file-1", "hyperparameters": None})
@example(order={"model": MINI, "training_file": "file-1", "method": {"type": "dpo", "dpo": None}})
@example(order={"model": MINI, "training_file": "file-1", "method": {"type": "dpo", "dpo": {"hyperparameters": None}}})
def test_no_order_is_taken_that_the_contract_refuses(contract, order):
    error = refusal_of(order)
    name, value = ("CreateFineTuningJobRequest", order) if error is None else ("ErrorResponse", {"error": error})
    assert contract.faults(name, value) == []
