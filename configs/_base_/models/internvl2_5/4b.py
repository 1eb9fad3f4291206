# InternVL2.5-4B (InternViT-300M, Qwen2.5-3B) in MLLMSeg.
_base_ = ["../mllmseg_internvl2_5.py"]

model = dict(
    mllm=dict(
        adapter=dict(
            text_config=dict(
                model_type="qwen2",
                vocab_size=151676,
                hidden_size=2048,
                intermediate_size=11008,
                num_hidden_layers=36,
                num_attention_heads=16,
                num_key_value_heads=2,
                max_position_embeddings=32768,
                rms_norm_eps=1e-6,
                rope_theta=1000000.0,
            ),
        ),
        tokenizer=dict(
            type="HuggingFaceChatTokenizer",
            folder="pretrain_weights/MLLMSeg_InternVL2_5_4B_RES",
        ),
    ),
    fusion=dict(semantic_channels=2048),
    decoder=dict(text_channels=2048),
)
