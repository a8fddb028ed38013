"""A job's settings in the words of another backend, and everything that does not come along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.errors import Unsupported
from anytune.migration.values import Loss

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from anytune.backend import Backend, Capabilities
    from anytune.migration.values import Origin

__all__ = ["CODES", "Fitted", "fitted"]

CODES = (
    "weights", "base-model", "tokenizer", "refusals", "hosted-guarantees", "learning-rate-multiplier", "learning-rate", "epochs",
    "batch-size", "compute-multiplier", "reasoning-effort", "adapter", "setting", "host-setting", "rows",
)  # fmt: skip
"""Codes of losses; docs/how-to/move-off-openai.md explains each."""

_DEVICE_ROWS = 8
"""Rows in one forward pass, where a batch of so many divides evenly; what the trl backend takes too."""

_OWN_CODES = {"compute_multiplier": "compute-multiplier", "reasoning_effort": "reasoning-effort"}
_HANDLED = frozenset({"type", "num_train_epochs", "batch_size", "per_device_train_batch_size", "gradient_accumulation_steps"})
_RATES = frozenset({"learning_rate", "learning_rate_multiplier"})


class Fitted(NamedTuple):
    """Settings for the new place, and what was lost on the way."""

    method: dict[str, Any]
    adapter: dict[str, Any] | None
    losses: tuple[Loss, ...]


def fitted(origin: Origin, target: Backend, model: str, adapter: Mapping[str, Any] | None = None) -> Fitted:
    """Say a job's settings in another backend's words.

    Args:
        origin: What is moved.
        target: Who will train.
        model: What will be tuned there.
        adapter: Which weights; None keeps the origin's where the target has it, else LoRA where the target lets one choose.

    Raises:
        Unsupported: The target does not offer the method.
    """
    able = target.capabilities
    offered(origin, target)
    same = origin.backend == target.name and _base(origin.model) == _base(model)
    new = {"type": origin.method["type"]} | _batch(origin, able)
    lost = [*_of_hosts(origin, target, model), *_epochs(origin, able, new), *_changed_batch(origin, new)]
    chosen = _adapter(origin, able, adapter)
    if origin.adapter is not None and chosen != origin.adapter:
        now = "the host decides" if chosen is None else f"`{chosen['type']}` is trained"
        lost.append(Loss(code="adapter", what=f"the adapter {origin.adapter}", why=f"{target.name} was not told it", instead=now))
    for name, value in origin.method.items():
        if name in _HANDLED or value in (None, "auto"):
            continue
        if name in _RATES:
            if same and name in able.settings:
                new[name] = value
            else:
                lost.append(_rate(name, value, target))
        elif name in able.settings:
            new[name] = value
        else:
            lost.append(_setting(name, value, target))
    lost += [_setting(f"options.{of}.{name}", value, target) for of, own in origin.options.items() for name, value in own.items()]
    lost += [_host_setting(name, value) for name, value in sorted(origin.others.items())]
    return Fitted(new, chosen, tuple(lost))


def offered(origin: Origin, target: Backend) -> None:
    """Refuse a method that the target does not offer.

    Raises:
        Unsupported: It does not.
    """
    method = origin.method["type"]
    if method in target.capabilities.methods:
        return
    offers = ", ".join(sorted(target.capabilities.methods))
    fix = f"It offers: {offers}."
    if method == "rft":
        fix = (
            f"No backend that trains open models learns from a grader. It can still judge the new model: train {offers} on answers that "
            "scored well (`files:…`), and give the grader by `--criteria`. `azure` and `openai` offer rft, as far as they still do."
        )
    raise Unsupported(f"Backend {target.name!r} does not train {method}.", fix=fix, backend=target.name)


def _of_hosts(origin: Origin, target: Backend, model: str) -> Iterator[Loss]:
    """Give what is lost with the host and its base, whatever was set."""
    if origin.tuned or origin.backend:
        where = origin.backend or "the host"
        why = f"{where} lets no weights out, or they are of another shape" if origin.backend != target.name else "a job trains anew"
        yield Loss(code="weights", what="the tuned weights", why=why, instead=f"{model} is trained anew on the same rows")
    if _base(origin.model) == _base(model):
        return
    was = origin.model or "the old base"
    yield Loss(
        code="base-model", what=f"what {was} could before it was tuned", why=f"{model} is another model",
        instead="both are compared on held-out rows (`--data`)",
    )  # fmt: skip
    yield Loss(
        code="tokenizer", what="token counts: lengths, prices and limits in tokens", why=f"{model} splits text otherwise than {was}",
        instead="preflight counts the rows anew, in the new model's own tokens",
    )  # fmt: skip
    yield Loss(
        code="refusals", what=f"what {was} refuses, and how", why="it was trained into that base, and rows seldom hold it",
        instead="nothing: try it, and add rows that refuse (the evaluation's drift check looks at some)",
    )  # fmt: skip
    if origin.backend and not origin.local and target.capabilities.local:
        yield Loss(
            code="hosted-guarantees", what="the host's availability, moderation, region and support", why="you are the host now",
            instead="nothing: plan for them (docs/how-to/run-the-server.md)",
        )  # fmt: skip


def _epochs(origin: Origin, able: Capabilities, new: dict[str, Any]) -> Iterator[Loss]:
    epochs = origin.method.get("num_train_epochs")
    if "num_train_epochs" not in able.settings:
        return
    if not isinstance(epochs, (int, float)):
        if origin.backend and "max_steps" not in origin.method:
            why = "the host never said what `auto` came to"
            yield Loss(code="epochs", what="how many epochs were trained", why=why, instead="the new backend's own default")
        return
    new["num_train_epochs"] = epochs
    if not _of_devices(able) and not float(epochs).is_integer():
        new["num_train_epochs"] = whole = max(1, round(epochs))
        yield Loss(code="epochs", what=f"{epochs:g} epochs", why="hosts train whole ones", instead=f"{whole} are trained")


def _batch(origin: Origin, able: Capabilities) -> dict[str, Any]:
    """Say the rows of a step: at once where a host decides on its devices, as rows on a device times passes where we do."""
    rows = _global(origin.method)
    if rows is None:
        return {}
    if not _of_devices(able):
        return {"batch_size": rows} if "batch_size" in able.settings else {}
    if "gradient_accumulation_steps" not in able.settings:
        return {"per_device_train_batch_size": rows}
    each = next(size for size in range(min(_DEVICE_ROWS, rows), 0, -1) if rows % size == 0)
    return {"per_device_train_batch_size": each, "gradient_accumulation_steps": rows // each}


def _changed_batch(origin: Origin, new: dict[str, Any]) -> Iterator[Loss]:
    rows = _global(origin.method)
    if rows is None and origin.backend:
        why = "the host never said what `auto` came to"
        yield Loss(code="batch-size", what="how many rows made a step", why=why, instead="the new backend's own default")
    elif rows is not None and _global(new) != rows:
        yield Loss(code="batch-size", what=f"{rows} rows a step", why="the new place has no word for it", instead="its own default")


def _global(method: Mapping[str, Any]) -> int | None:
    """Give the rows of one optimiser step, however they are said; None where they were left to a host."""
    each, rows = method.get("per_device_train_batch_size"), method.get("batch_size")
    if isinstance(each, int):
        return each * int(method.get("gradient_accumulation_steps") or 1)
    return rows if isinstance(rows, int) else None


def _adapter(origin: Origin, able: Capabilities, wanted: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not able.adapters:
        return None
    if wanted is not None:
        return dict(wanted)
    if origin.adapter is not None and origin.adapter.get("type") in able.adapters:
        return {name: value for name, value in origin.adapter.items() if name == "type" or f"adapter.{name}" in able.settings}
    return {"type": "lora"} if "lora" in able.adapters else None


def _rate(name: str, value: object, target: Backend) -> Loss:
    if name == "learning_rate_multiplier":
        return Loss(
            code="learning-rate-multiplier", what=f"the learning rate's multiplier ({value})",
            why="it multiplies a rate that its host never published, for a base that stays there",
            instead="a rate from the table, a third of it and three times as much are tried, where the new backend takes a rate",
        )  # fmt: skip
    return Loss(
        code="learning-rate", what=f"the learning rate ({value})",
        why=f"it was right for another base, or {target.name} has no word for it", instead="the table's, or the host's own choice",
    )  # fmt: skip


def _setting(name: str, value: object, target: Backend) -> Loss:
    shown = "its definition" if isinstance(value, dict) else repr(value)
    what = f"`{name}` ({shown})"
    return Loss(code=_OWN_CODES.get(name, "setting"), what=what, why=f"{target.name} has no word for it", instead="it is left out")


def _host_setting(name: str, value: object) -> Loss:
    shown = "" if isinstance(value, (dict, list)) else f" ({value})"
    return Loss(code="host-setting", what=f"`{name}`{shown} of the old host", why="a spec has no word for it", instead="it is left out")


def _of_devices(able: Capabilities) -> bool:
    return "per_device_train_batch_size" in able.settings


def _base(model: str) -> str:
    from anytune.catalog import base_of  # noqa: PLC0415 - reads YAML

    return base_of(model) or model
