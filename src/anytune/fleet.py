"""Many jobs watched by one caller: one loop, few requests, no thread a job."""
