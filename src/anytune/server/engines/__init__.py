"""Models that answer: engines are started on demand, shared, and stopped when idle."""
