"""How large a model is inside, from its config.json: what memory and time are estimated from. No weights are read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from anytune.values import Value

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Shape"]


class Shape(Value):
    """A decoder's sizes.

    Attributes:
        layers: Decoder layers.
        hidden: Width of the residual stream.
        heads: Query heads.
        kv_heads: Key and value heads.
        head: Width of a head.
        inner: Width of the feed-forward layer (of one expert).
        vocabulary: Tokens that can be told apart.
        tied: Input and output embedding are one matrix.
        experts: Feed-forward layers side by side; 1 where the model is dense.
        active_experts: How many of them a token goes through.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head: int
    inner: int
    vocabulary: int
    tied: bool = True
    experts: int = 1
    active_experts: int = 1

    @classmethod
    def read(cls, folder: Path) -> Shape:
        """Read a model folder; what its config does not say is guessed as Llama has it."""
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config: dict[str, Any] = raw.get("text_config") or raw

        def first(*names: str, otherwise: int) -> int:
            return next((int(config[name]) for name in names if isinstance(config.get(name), int) and config[name] > 0), otherwise)

        hidden = first("hidden_size", "n_embd", "d_model", otherwise=1024)
        heads = first("num_attention_heads", "n_head", "num_heads", otherwise=16)
        experts = first("num_local_experts", "num_experts", "n_routed_experts", otherwise=1)
        dense = first("intermediate_size", "n_inner", "ffn_dim", otherwise=4 * hidden)
        return cls(
            layers=first("num_hidden_layers", "n_layer", "num_layers", otherwise=24),
            hidden=hidden,
            heads=heads,
            kv_heads=first("num_key_value_heads", otherwise=heads),
            head=first("head_dim", otherwise=hidden // heads),
            inner=first("moe_intermediate_size", otherwise=dense) if experts > 1 else dense,
            vocabulary=first("vocab_size", otherwise=32_000),
            tied=bool(config.get("tie_word_embeddings", raw.get("tie_word_embeddings", True))),
            experts=experts,
            active_experts=first("num_experts_per_tok", otherwise=1) if experts > 1 else 1,
        )

    @property
    def attention_weights(self) -> int:
        """Weights of one layer's attention."""
        return 2 * self.hidden * self.head * (self.heads + self.kv_heads)

    @property
    def expert_weights(self) -> int:
        """Weights of one feed-forward layer: gate, up and down."""
        return 3 * self.hidden * self.inner

    @property
    def embedding_weights(self) -> int:
        """Weights of one embedding."""
        return self.vocabulary * self.hidden

    @property
    def layer_weights(self) -> int:
        """Weights of all layers' matrices."""
        return self.layers * (self.attention_weights + self.experts * self.expert_weights)

    @property
    def active_weights(self) -> int:
        """Weights of the layers that one token is multiplied with."""
        return self.layers * (self.attention_weights + self.active_experts * self.expert_weights)

    @property
    def parameters(self) -> int:
        """All weights, norms and biases left out."""
        return self.layer_weights + self.embedding_weights * (1 if self.tied else 2)

    def adapter_weights(self, r: int, targets: str | tuple[str, ...] | None) -> int:
        """Count what LoRA adds with rank `r` to the named matrices; a name that is not Llama's counts as the attention's output.

        Args:
            r: Rank.
            targets: Names, or `all-linear`.
        """
        q, kv, h = self.heads * self.head, self.kv_heads * self.head, self.hidden
        feed = self.experts * (h + self.inner)
        edges = {
            "q_proj": h + q,
            "k_proj": h + kv,
            "v_proj": h + kv,
            "o_proj": q + h,
            "gate_proj": feed,
            "up_proj": feed,
            "down_proj": feed,
        }
        named = tuple(edges) if targets is None or isinstance(targets, str) else targets
        return self.layers * r * sum(edges.get(name.rpartition(".")[2], q + h) for name in named)
