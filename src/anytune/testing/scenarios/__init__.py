"""The numbered scenarios of docs/reference/backend-contract.md, in groups. The conformance suite is all of them."""
