"""`anytune serve`: OpenAI's fine-tuning API, files, models and completions, over any backend, on a machine of one's own.

```text
config.py      what the owner decides: backend, models, limits, webhooks
house.py       one running server's parts, handed to every route
app.py         the ASGI application: guard, routes, loops
main.py        the process: lock, first key, uvicorn
guard/         what every request must pass: Host, Origin, key, content type, size, rate
routes/        one file a noun of the HTTP API; a route checks, asks the book, and shapes an answer
book/          the server's own rows in the ledger's database: keys, files, uploads, jobs, events, deliveries
shapes/        bodies of requests and answers, as the published contract has them
multipart.py   forms with one file, read as they come and held to their size
store.py       bytes of files on the disk, under random names
sweep.py       takes away what nobody needs: expired files, open uploads, bytes without a row
training/      orders to specs, the fair queue, the clerk that submits, the eyes that follow
engines/       models that answer: started on demand, shared, stopped when idle
hooks/         signed webhooks
```

A request's way is told in docs/explanation/a-requests-way.md. Needs the extra `anytune[server]`.
"""
