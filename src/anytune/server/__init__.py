"""`anytune serve`: OpenAI's fine-tuning API, files, models and completions, over any backend, on a machine of one's own.

```text
config.py      what the owner decides: backend, models, limits, webhooks; configfile.py reads it from a file
house.py       one running server's parts, handed to every route
app.py         the ASGI application: guard, routes, loops
main.py        the process: first key, uvicorn; alone.py lets one of them in for a state folder and a ledger
azure.py       paths of Azure OpenAI's earlier API, led to the same routes
guard/         what every request must pass: Host, Origin, key, content type, size, rate
routes/        one file a noun of the HTTP API; a route checks, asks the book, and shapes an answer
book/          the server's own rows in the ledger's database: keys, files, uploads, jobs, events, deliveries
shapes/        bodies of requests and answers, as the published contract has them
errors.py      refusals as OpenAI's clients read them
multipart.py   forms with one file, read as they come and held to their size
store.py       bytes of files on the disk, under random names
sweep.py       takes away what nobody needs: expired files, open uploads, bytes without a row
training/      orders to specs, the fair queue, the clerk that submits, the eyes that follow
engines/       models that answer: started on demand, shared, stopped when idle
hooks/         signed webhooks
metrics.py     what is counted
faults.py      what goes wrong when it is told to, for people's own tests
page.py        the generated parts of the reference
```

A request's way is told in docs/explanation/a-requests-way.md. Needs the extra `anytune[server]`.
"""
