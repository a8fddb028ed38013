"""Places where a training program runs: this machine's agent, Hugging Face Jobs, a private Space."""
