from __future__ import annotations

import subprocess
import sys

import pytest

from anytune.data.files import Line
from anytune_huggingface.models import starter
from anytune_huggingface.text import tokenizer
from anytune_huggingface.text.render import IGNORED
from anytune_huggingface.text.rows import read

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning"),
]


def test_two_processes_convert_the_starter_once(anytune_home):
    code = "from anytune_huggingface.models import starter; print(starter.ensure().stat().st_ino)"
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    inodes = {process.communicate(timeout=180)[0].strip() for process in both}
    assert len(inodes) == 1
    assert (starter.folder() / "model.safetensors").is_file()
    assert [path.name for path in (anytune_home / "models").iterdir() if path.is_dir()] == [starter.folder().name]


def test_the_starters_own_template_and_tokenizer_mask_a_conversation():
    _, renderer = tokenizer.load(starter.ensure_tokenizer())
    row = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": " yo\n\nthere  "}] * 2}
    (sample,) = renderer.samples(read(Line(1, row), "sft"))
    learned = renderer.tokenizer.decode([label for label in sample.labels if label != IGNORED])
    assert learned == " yo\n\nthere  <|im_end|>" * 2
