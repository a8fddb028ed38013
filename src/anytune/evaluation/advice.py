"""Should I tune? The untuned arms are asked, the tuning is quoted, and the lesson's four questions are answered with numbers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune.evaluation.report import figures, plain, words
from anytune.evaluation.spec import Again, Arm, Captured, EvaluationSpec, Nearest, Rule, ZeroShot
from anytune.evaluation.values import Estimate, Evaluation
from anytune.values import Quote, Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anytune.evaluation.run import Before
    from anytune.evaluation.values import ArmResult
    from anytune.preflight import Preflight
    from anytune.runtime import Runtime

__all__ = ["Advice", "Question", "advise", "markdown", "save", "untuned", "weighed"]

_HOURS_A_MONTH = 730
_MONTHS = 12
"""Over which what is paid once is spread."""


class Question(Value):
    """One of the four, and its answer in words."""

    question: str
    answer: str


class Advice(Value):
    """What is known before anything is tuned; None where it cannot be known.

    Attributes:
        strongest: The untuned arm that scored highest, on the rows that are reported: it looks a little better than it is.
        score: Its score, with its interval.
        floor: Score of copying the nearest training answer, which is free.
        headroom: What is left to gain.
        training_rows: Rows to learn from.
        quote: What tuning would take.
        errors: Errors that preflight found: they have to be mended before.
        requests_per_month: At which volume.
        untuned_usd, tuned_usd: Of one request, by the strongest untuned arm and by a tuned model that is asked without examples.
        hosting_usd_per_month: Of the tuned model, whether or not it is asked.
        once_usd: Paid once: the training.
        saved_usd_per_month: By the tuned model, hosting taken off; below 0 where it costs more.
        months: Until what is paid once is saved, without any gain in quality; None where nothing is saved.
        gain: By how much the score has to rise so that a right answer costs no more than untuned, what is paid once spread over a year.
        shown: The smallest gain that this many rows can show.
        evaluation: All that was found out about the untuned arms.
    """

    name: str
    strongest: str
    score: Estimate
    floor: Estimate | None = None
    headroom: float
    training_rows: int
    quote: Quote
    errors: tuple[str, ...] = ()
    requests_per_month: int
    untuned_usd: float | None = None
    tuned_usd: float | None = None
    hosting_usd_per_month: float | None = None
    once_usd: float | None = None
    saved_usd_per_month: float | None = None
    months: float | None = None
    gain: float | None = None
    shown: float | None = None
    questions: tuple[Question, ...] = ()
    evaluation: Evaluation


def advise(
    spec: EvaluationSpec,
    *,
    requests_per_month: int | None = None,
    backend: str | None = None,
    model: str | None = None,
    folder: Path | None = None,
    context: Runtime | None = None,
    on_before: Callable[[Before], bool] | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> Advice:
    """Ask the untuned arms, quote the tuning, and weigh both. No job is made.

    Args:
        spec: An evaluation; tuned models in it are left out.
        requests_per_month: How often the app will ask; the spec's `spending.requests_per_month` by default.
        backend: Who would train; the host of the first untuned model by default.
        model: What would be tuned; that model by default.
        folder: Where answers are kept, as for `anytune.evaluate`.
        context: Ledger, retries and clock; the process's own by default.
        on_before: Told what it will take; where it gives False, nothing is asked.
        on_progress: Called with the questions that are answered and those that there are.

    Raises:
        ConfigError: There is no training file, no volume, or nobody is named who would train.
    """
    from anytune.evaluation.run import evaluate  # noqa: PLC0415 - brings in all that asks
    from anytune.job import FineTuneJob  # noqa: PLC0415 - as above

    volume = requests_per_month or spec.spending.requests_per_month
    if volume is None:
        raise ConfigError("At which volume shall it pay?", fix="Say `--requests-per-month 50000`, or set `spending.requests_per_month`.")
    if spec.train is None:
        raise ConfigError(f"{spec.name} names no training rows.", fix="Set `train`: examples come from it, and the quote is for it.")
    backend, model = _trainer(spec, backend, model)
    quoted = FineTuneJob.preflight(backend=backend, model=model, train=spec.train, name=spec.name, context=context)
    found = evaluate(untuned(spec), folder=folder, context=context, on_before=on_before, on_progress=on_progress)
    local = (context.backend(backend) if context is not None else _backend(backend)).capabilities.local
    return weighed(found, _priced(quoted, spec), requests_per_month=volume, local=local)


def untuned(spec: EvaluationSpec) -> EvaluationSpec:
    """Give the same evaluation without the tuned models; the row's own messages are held against every other way, and against copying.

    Raises:
        ConfigError: Nothing is left to ask.
    """
    arms: dict[str, Arm] = {
        name: arm
        for name, arm in spec.arms.items()
        if isinstance(arm, (Captured, Nearest)) or (not isinstance(arm, Again) and spec.models[arm.model].job is None)
    }
    asking = [name for name, arm in arms.items() if not isinstance(arm, (Captured, Nearest))]
    if not asking:
        raise ConfigError(
            f"{spec.name} has no arm that asks an untuned model.", fix="Add one to `arms`, such as `base: {type: zero_shot, model: base}`."
        )
    if spec.train is not None and len(asking) == len(arms):
        arms["nearest"] = Nearest()  # what is free is always looked at
    arms |= {name: arm for name, arm in spec.arms.items() if isinstance(arm, Again) and arm.of in arms}
    first = next((name for name in asking if isinstance(arms[name], ZeroShot)), asking[0])
    models = {name: model for name, model in spec.models.items() if model.job is None}
    rule = Rule(candidate=first, baseline="all", alpha=spec.rule.alpha, power=spec.rule.power, min_rows=spec.rule.min_rows)
    name = f"{spec.name[:57]}-advice" if not spec.name.endswith("advice") else spec.name
    return spec.model_copy(update={"name": name, "arms": arms, "models": models, "rule": rule, "drift": None})


def weighed(found: Evaluation, quoted: Preflight, *, requests_per_month: int, local: bool = False) -> Advice:
    """Weigh what the untuned arms reach against what tuning would take.

    Args:
        found: The evaluation of the untuned arms.
        quoted: The preflight of the tuning.
        requests_per_month: At which volume.
        local: The tuned model would be asked on one's own machine, which is counted as free.
    """
    asked = [arm for arm in found.arms if arm.model and found.primary in arm.scores and found.spec["arms"][arm.name]["type"] != "again"]
    strongest = max(asked, key=lambda arm: arm.scores[found.primary].value)
    plain = next((arm for arm in asked if arm.name == found.candidate), asked[0])
    floors = [arm.scores[found.primary] for arm in found.arms if not arm.model and found.primary in arm.scores]
    score, quote = strongest.scores[found.primary], quoted.quote
    hosting = 0.0 if local else None if quote.hosting_usd_per_hour is None else quote.hosting_usd_per_hour * _HOURS_A_MONTH
    known: dict[str, Any] = {
        "name": found.name,
        "strongest": strongest.name,
        "score": score,
        "floor": max(floors, key=lambda floor: floor.value, default=None),
        "headroom": 1 - score.value,
        "training_rows": quoted.stats.rows,
        "quote": quote,
        "errors": tuple(error.message for error in quoted.errors),
        "requests_per_month": requests_per_month,
        "untuned_usd": strongest.usd_per_request,
        "tuned_usd": 0.0 if local else _tuned_usd(plain, strongest, quote),
        "hosting_usd_per_month": hosting,
        "once_usd": 0.0 if local and quote.cost_usd is None else quote.cost_usd,
        "shown": found.power.gain,
    }
    advice = Advice(evaluation=found, **(known | _paid(known)))
    return advice.model_copy(update={"questions": _questions(advice)})


def _paid(known: dict[str, Any]) -> dict[str, float | None]:
    """Say when it pays: without a gain, and by which gain."""
    untuned_usd, tuned_usd, hosting, once = (known[key] for key in ("untuned_usd", "tuned_usd", "hosting_usd_per_month", "once_usd"))
    volume, score = known["requests_per_month"], known["score"].value
    if untuned_usd is None or tuned_usd is None or hosting is None:
        return {}
    saved = volume * (untuned_usd - tuned_usd) - hosting
    if once is None:
        return {"saved_usd_per_month": saved}
    whole = tuned_usd + (hosting + once / _MONTHS) / volume
    if whole <= untuned_usd:
        gain: float | None = 0.0
    else:
        gain = score * (whole / untuned_usd - 1) if untuned_usd > 0 else None
    months = 0.0 if once == 0 and saved >= 0 else once / saved if saved > 0 else None
    return {"saved_usd_per_month": saved, "months": months, "gain": gain}


def _tuned_usd(plain: ArmResult, strongest: ArmResult, quote: Quote) -> float | None:
    """Price a request of the tuned model: the plain question's tokens, and an answer as long as the strongest arm's."""
    if quote.input_usd_per_million is None or quote.output_usd_per_million is None:
        return None
    if plain.prompt_tokens is None or strongest.completion_tokens is None or not plain.answers or not strongest.answers:
        return None
    read, wrote = plain.prompt_tokens / plain.answers, strongest.completion_tokens / strongest.answers
    return (read * quote.input_usd_per_million + wrote * quote.output_usd_per_million) / 1e6


def _questions(advice: Advice) -> tuple[Question, ...]:
    volume = f"{advice.requests_per_month:,}"
    return (
        Question(question="Is tuning right here, compared with prompting, few-shot and retrieval?", answer=_right(advice)),
        Question(question="What would it cost?", answer=_cost(advice)),
        Question(question=f"What gain would pay for it at {volume} requests a month?", answer=_pays(advice)),
        Question(question="What can these rows show?", answer=_shows(advice)),
    )


def _right(advice: Advice) -> str:
    reach = f"{advice.strongest} reaches {figures.percent(advice.score.value)} ({figures.interval(advice.score)}) untuned"
    floor = "" if advice.floor is None else f"; copying the nearest training answer, which is free, {figures.percent(advice.floor.value)}"
    text = f"{reach}{floor}. At most {advice.headroom * 100:.1f} points are left to gain."
    if advice.shown is not None and advice.headroom < advice.shown:
        return f"{text} That is less than these rows can show: keep {advice.strongest}, or bring harder or more rows."
    if advice.floor is not None and advice.floor.value >= advice.score.value:
        return (
            f"{text} Copying does as well as asking: the examples carry the task. Tuning can learn from them; so can a lookup, for nothing."
        )
    return f"{text} There is room for tuning; whether it is used, only tuning and `anytune evaluate` tell."


def _cost(advice: Advice) -> str:
    quote = advice.quote
    effort = f"Data: {advice.training_rows:,} rows are there"
    effort += f", and {len(advice.errors)} errors in them have to be mended first. " if advice.errors else " and pass preflight. "
    minutes = "unknown time" if quote.minutes is None else f"about {quote.minutes:,.0f} minutes" if quote.minutes >= 1 else "under a minute"
    training = f"Training: {_money(advice.once_usd)}, {minutes}" + (f" ({quote.basis}). " if quote.basis else ". ")
    hosting = f"Hosting: {_money(advice.hosting_usd_per_month)} a month. "
    each = f"1,000 requests: {_money(_thousand(advice.tuned_usd))} tuned, {_money(_thousand(advice.untuned_usd))} by {advice.strongest}."
    return effort + training + hosting + each


def _pays(advice: Advice) -> str:
    saved, than = advice.saved_usd_per_month, f"as by {advice.strongest}"
    if saved is None:
        return "Not known: a price is missing above. Give `prices` of the models in the spec, of the tuned one too."
    if saved == 0 and advice.once_usd == 0:
        return "None: asking is free either way, and so is the training. What it takes is the time of your machine, and yours."
    if saved >= 0 and advice.months is not None:
        when = "at once" if advice.months == 0 else f"after {figures.months(advice.months * 1000, 1000)}"
        return f"None is needed: a tuned model saves {figures.usd(saved)} a month, and what is paid once is back {when}."
    text = f"It costs {figures.usd(-saved)} a month more. " if saved < 0 else f"It saves {figures.usd(saved)} a month. "
    if advice.once_usd is None:
        return f"{text}When that pays is not known, since the price of training is not."
    if advice.gain is None:
        return f"{text}Asking is free today, so no gain makes a right answer as cheap {than}: it has to be worth that to you."
    if advice.gain > advice.headroom:
        return f"{text}No gain can make a right answer as cheap {than}: {advice.gain * 100:.1f} points would be needed."
    right = f"{advice.requests_per_month * advice.gain:,.0f} more right answers a month"
    return f"{text}A gain of {advice.gain * 100:.1f} points ({right}) makes a right answer as cheap {than}."


def _shows(advice: Advice) -> str:
    text = words.power(advice.evaluation.power, "superiority")
    if advice.gain and advice.shown is not None and advice.gain < advice.shown:
        text += " A gain that would pay may be too small to be seen with these rows: bring more."
    return text


def _thousand(usd: float | None) -> float | None:
    return None if usd is None else usd * 1000


def _money(usd: float | None) -> str:
    return "unknown" if usd is None else figures.usd(usd)


def save(advice: Advice, path: Path) -> None:
    """Write it as `.md`, or as JSON.

    Raises:
        ConfigError: It cannot be written.
    """
    text = markdown(advice) if path.suffix == ".md" else json.dumps(plain(advice), allow_nan=False, indent=1) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", fix="Name a file in a folder that you may write to.") from error


def markdown(advice: Advice) -> str:
    """Write the four questions and their answers for a pull request, with the table of the untuned arms."""
    from anytune.evaluation.report.markdown import arms, escaped  # noqa: PLC0415 - beside the other formats
    from anytune.evaluation.report.texts import fit  # noqa: PLC0415 - as above

    parts = [f"### Should we tune? {escaped(advice.name)}", arms(fit(advice.evaluation, most=600))]
    parts += [f"**{escaped(one.question)}** {escaped(one.answer)}" for one in advice.questions]
    return "\n\n".join(parts) + "\n"


def _trainer(spec: EvaluationSpec, backend: str | None, model: str | None) -> tuple[str, str]:
    if backend is not None and model is not None:
        return backend, model
    hosted = next((one for one in spec.models.values() if one.job is None and one.backend is not None), None)
    if hosted is not None:
        backend, model = backend or hosted.backend, model or hosted.model
    if backend is None or model is None:
        raise ConfigError("Nobody is named who would train.", fix="Say `--backend` and `--model`: the quote is theirs.")
    return backend, model


def _priced(quoted: Preflight, spec: EvaluationSpec) -> Preflight:
    """Put prices that the spec gives for the tuned model, which is not there yet, before those of the catalogue."""
    arm = spec.arms[spec.rule.candidate]
    tuned = None if isinstance(arm, (Again, Captured, Nearest)) else spec.models[arm.model]
    if tuned is None or tuned.job is None:
        return quoted
    own = tuned.prices.model_dump(exclude_none=True)
    if "hourly_usd" in own:
        own["hosting_usd_per_hour"] = own.pop("hourly_usd")
        own = {"input_usd_per_million": 0.0, "output_usd_per_million": 0.0} | own
    elif own:
        own = {"hosting_usd_per_hour": 0.0} | own
    return quoted.model_copy(update={"quote": quoted.quote.model_copy(update=own)})


def _backend(word: str) -> Any:
    from anytune.runtime import runtime  # noqa: PLC0415 - the ledger is only needed here

    return runtime().backend(word)
