"""How an Inference Endpoint is set up: the machine, the engine, who may ask it, and how many of it there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError, model_validator

from anytune.errors import ConfigError
from anytune.settings import nearest
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune_huggingface.hub.prices import Flavor

__all__ = ["EndpointSettings"]

_VLLM = "vllm/vllm-openai:v0.23.0"
"""The image that the library's own examples name (huggingface_hub 2.4.0, 2026-11-23)."""


class EndpointSettings(Value):
    """Options of a deployment on Inference Endpoints.

    Attributes:
        engine: `vllm`; `huggingface`: the image that the service chooses; `custom`: the image named by `image`.
        image: The container image; None takes the engine's own.
        port: Where the image's server listens.
        health_route: Path that says whether the server is well.
        args: Arguments appended to the image's own.
        env: Variables of the container; nothing secret.
        vendor: Who owns the machine: `aws`, `gcp`, `azure`.
        region: Where it stands.
        accelerator: `gpu`, `cpu`, ….
        instance_type: `nvidia-l4`.
        instance_size: `x1`.
        flavor: The five above in one word, such as `aws-us-east-1-nvidia-l4-x1`; it goes before them.
        min_replica: Machines that always run; 0 lets it sleep, which ends the bill where nobody is left to end the endpoint.
        max_replica: Machines that may run at once: what it costs at most.
        scale_to_zero_minutes: Minutes without a request after which it sleeps and costs nothing; needs `min_replica` 0. The service's own
            value is an hour (its guide to autoscaling, read 2026-11-23); waking takes some minutes either way.
        type: `authenticated`: for whoever shows a token of the Hub; `private`: through AWS PrivateLink alone; `public`: for everybody.
        allow_public: Has to be said beside `type="public"`: anybody may then use it at your cost.
        revision: Branch, tag or commit of the model; None takes what the model's name says, else its newest commit.
    """

    engine: Literal["vllm", "huggingface", "custom"] = "vllm"
    image: str | None = None
    port: int = Field(default=8000, gt=0, lt=65536)
    health_route: str = Field(default="/health", pattern="^/")
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    vendor: str = "aws"
    region: str = "us-east-1"
    accelerator: str = "gpu"
    instance_type: str = "nvidia-l4"
    instance_size: str = "x1"
    flavor: str | None = None
    min_replica: int = Field(default=0, ge=0)
    max_replica: int = Field(default=1, ge=1)
    scale_to_zero_minutes: int = Field(default=15, ge=1)
    type: Literal["authenticated", "private", "public"] = "authenticated"
    allow_public: bool = False
    revision: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> EndpointSettings:
        if self.type == "public" and not self.allow_public:
            raise ValueError("a public endpoint answers anybody at your cost; say `allow_public=True` beside it if that is meant")
        if self.min_replica > self.max_replica:
            raise ValueError("`min_replica` is larger than `max_replica`")
        if "scale_to_zero_minutes" in self.model_fields_set and self.min_replica > 0:
            raise ValueError("`scale_to_zero_minutes` needs `min_replica` 0")
        if self.engine == "custom" and not self.image:
            raise ValueError("the engine `custom` needs an `image`")
        return self

    @classmethod
    def of(cls, given: Mapping[str, Any], defaults: EndpointSettings | None = None) -> EndpointSettings:
        """Check options; the defaults fill in.

        Raises:
            ConfigError: One is not known (the nearest is named), or its value is none.
        """
        known = list(cls.model_fields)
        for name in given:
            if name not in known:
                guess = nearest(name, known)
                fix = f"Did you mean `{guess}`?" if guess else f"Known: {', '.join(known)}."
                raise ConfigError(f"Inference Endpoints have no option `{name}`.", fix=fix)
        if given.get("type") == "protected":
            raise ConfigError("`type` is `protected`, which is called `authenticated` now.", fix="Say `authenticated`.")
        filled = {} if defaults is None else {name: getattr(defaults, name) for name in defaults.model_fields_set}
        try:
            return cls(**{**filled, **given})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = f"`{'.'.join(map(str, first['loc']))}`: " if first["loc"] else ""
            said = first["msg"].removeprefix("Value error, ")
            raise ConfigError(f"An option of the endpoint is wrong: {where}{said}.", fix="Correct it.") from None

    @property
    def sleeps_after_minutes(self) -> int | None:
        """Minutes without a request after which it sleeps; None: never."""
        return None if self.min_replica else self.scale_to_zero_minutes

    @property
    def custom_image(self) -> dict[str, Any] | None:
        """The image as the library takes it; None: the service chooses."""
        if self.engine == "huggingface" and self.image is None:
            return None
        if self.engine == "vllm":
            return {"vLLM": {"url": self.image or _VLLM, "port": self.port}}
        return {"url": self.image, "port": self.port, "healthRoute": self.health_route}

    def machine(self, known: Mapping[str, Flavor]) -> Flavor:
        """Find the machine among those that can be had.

        Raises:
            ConfigError: There is no such machine, or it cannot be had now.
        """
        if self.flavor is not None:
            word, found = self.flavor, known.get(self.flavor)
        else:
            wanted = (self.vendor, self.region, self.accelerator, self.instance_type, self.instance_size)
            word = f"{self.vendor}-{self.region}-{self.instance_type}-{self.instance_size}"
            rows = ((each.vendor, each.region, each.kind, each.instance_type, each.instance_size, each) for each in known.values())
            found = next((each for *row, each in rows if tuple(row) == wanted), None)
        if found is None:
            guess = nearest(word, list(known))
            fix = f"Did you mean `{guess}`?" if guess else f"There is: {', '.join(known)}."
            raise ConfigError(f"Inference Endpoints have no machine {word!r} with accelerator `{self.accelerator}`.", fix=fix)
        if not found.available:
            raise ConfigError(f"The machine {found.name!r} cannot be had now.", fix="Take another `region`, `vendor` or `instance_type`.")
        return found
