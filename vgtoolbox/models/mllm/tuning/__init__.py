"""Fine-tuning of language models: LoRA, new vocabulary rows, quantization."""
