"""Signed webhooks: `fine_tuning.job.succeeded`, `.failed` and `.cancelled`, as OpenAI sends them.

```text
addresses.py   which addresses may be called: read strictly, looked up once, every answer checked
signature.py   the three headers by which a receiver knows who called (Standard Webhooks)
post.py        one call to one address
sender.py      the loop of each address: what is due, how it went, when to try again
```

What is owed lies in book/deliveries.py, written down before a job's end is. A receiver gets a call at least once, and under the same
`webhook-id` each time.
"""
