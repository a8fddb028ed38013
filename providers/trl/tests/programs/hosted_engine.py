"""What stands in for an endpoint's container: our engine on a model's folder, which also says the model's name as vLLM does.

`python hosted_engine.py FOLDER PORT NAME`
"""

import sys
from pathlib import Path

import uvicorn
from starlette.responses import JSONResponse
from starlette.routing import Route

from anytune_huggingface.models import folders
from anytune_huggingface.serving import shared


async def models(_):
    return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"}]})


folder, port, name = sys.argv[1:]
application = shared.application({name: shared.alone(folders.resolve(str(Path(folder))))}, 8)
application.router.routes.insert(0, Route("/v1/models", models))
uvicorn.run(application, host="127.0.0.1", port=int(port), log_level="warning")
