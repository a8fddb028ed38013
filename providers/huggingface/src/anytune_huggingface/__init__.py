"""What backends of the Hugging Face stack share: models and their text, serving, the Hub, and places to compute. No backend by itself."""
