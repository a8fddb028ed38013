"""The Hugging Face Hub: its client, the records of jobs that run there, prices, and Inference Endpoints."""
