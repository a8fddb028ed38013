"""What differs between providers that speak nearly the same protocol, as values; what differs in shape is a method of the simulator."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AS_OBSERVED", "SPEC", "Dialect", "Profile"]

Profile = Literal["spec", "as_observed"]

_COLUMNS = MappingProxyType(
    {
        "train_loss": "train_loss",
        "train_accuracy": "train_mean_token_accuracy",
        "valid_loss": "valid_loss",
        "valid_mean_token_accuracy": "valid_mean_token_accuracy",
    }
)


class Dialect(NamedTuple):
    """Words and rules of a provider.

    Attributes:
        profile: `spec`: as the published description has it. `as_observed`: as live replies were seen to be.
        words: What a job goes through where no life is given.
        failing: The words of a job whose file is refused.
        pausing: What a paused job shows, one word a poll; it stays at the last one.
        resuming: What a resumed job shows before it goes on.
        file_words: What a file goes through, one word for each time that it is asked for by its id; it is ready at the last one.
        stuck_word: What a file shows that never becomes ready.
        created_status: What a create is answered.
        keeps_metadata: Jobs keep their metadata, and listings filter by it.
        keeps_checkpoints: How many of the newest checkpoints are kept.
        encodes_results: The content of result files is base64.
        null_strings: `null` may stand for a text that is left out.
        nulls: Fields without a value are there and null, where the description says otherwise.
        results_name: The name of result files.
        results_columns: Their columns after `step`, each with the metric that it shows.
        shows_suffix: Jobs repeat the suffix as `user_provided_suffix`.
    """

    profile: Profile = "spec"
    words: tuple[str, ...] = ("validating_files", "queued", "running", "running", "running", "running", "succeeded")
    failing: tuple[str, ...] = ("validating_files", "failed")
    pausing: tuple[str, ...] = ("paused",)
    resuming: tuple[str, ...] = ()
    file_words: tuple[str, ...] = ("processed",)
    stuck_word: str = "uploaded"
    created_status: int = 200
    keeps_metadata: bool = True
    keeps_checkpoints: int = 3
    encodes_results: bool = False
    null_strings: bool = True
    nulls: bool = False
    shows_suffix: bool = False
    results_name: str = "step_metrics.csv"
    results_columns: Mapping[str, str] = _COLUMNS


SPEC = Dialect()
AS_OBSERVED = Dialect(
    profile="as_observed", pausing=("pausing", "paused"), encodes_results=True, null_strings=False, nulls=True, shows_suffix=True
)
