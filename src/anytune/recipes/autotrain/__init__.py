"""AutoTrain's configs for language models: YAML and command line into a spec, and a spec into its YAML, each with what is lost.

Read in autotrain-advanced 0.8.36 (`parser.py`, `cli/run_llm.py`, `trainers/clm/`), 2026-11-23.
"""

from __future__ import annotations

from anytune.recipes.autotrain.back import Recipe, from_spec
from anytune.recipes.autotrain.config import Config
from anytune.recipes.autotrain.into import Translation, to_spec
from anytune.recipes.autotrain.sources import from_argv, from_yaml

__all__ = ["Config", "Recipe", "Translation", "from_argv", "from_spec", "from_yaml", "to_spec"]
