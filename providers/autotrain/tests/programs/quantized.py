"""Runs the driver as it runs on a GPU, on a machine without one: `quantized.py DRIVER RUN.json`, with AutoTrain's python.

transformers 4.48 asks on a CPU whether Intel's extension is there before it loads weights in 4 or 8 bits; bitsandbytes 0.49 needs it no more.
What kinds of layers were made is said at the end.
"""

import importlib.util
import sys

spec = importlib.util.spec_from_file_location("driver", sys.argv[1])
driver = importlib.util.module_from_spec(spec)
spec.loader.exec_module(driver)
found = driver._modules
made = set()


def modules():
    import bitsandbytes
    import transformers.integrations.bitsandbytes

    transformers.integrations.bitsandbytes.is_ipex_available = lambda: True
    for name in ("Linear4bit", "Linear8bitLt"):
        kind = getattr(bitsandbytes.nn, name)
        kind.__init__ = counted(kind.__init__, name)
    return found()


def counted(real, name):
    def init(self, *args, **given):
        made.add(name)
        real(self, *args, **given)

    return init


driver._modules = modules
code = driver.main(sys.argv[1:])
print("made:", *sorted(made))
sys.exit(code)
