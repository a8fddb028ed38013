"""The Hugging Face Hub: its client, the records of jobs that run there, prices, Inference Endpoints, and what is published."""
