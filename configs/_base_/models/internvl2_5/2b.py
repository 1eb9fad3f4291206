# InternVL2.5-2B (InternViT-300M, InternLM2.5-1.8B) in MLLMSeg.
_base_ = ["../mllmseg_internvl2_5.py"]

model = dict(
    mllm=dict(
        adapter=dict(
            text_config=dict(
                model_type="internlm2",
                vocab_size=92555,
                hidden_size=2048,
                intermediate_size=8192,
                num_hidden_layers=24,
                num_attention_heads=16,
                num_key_value_heads=8,
                max_position_embeddings=32768,
                rms_norm_eps=1e-5,
                rope_theta=1000000,
                rope_scaling=dict(type="dynamic", factor=2.0),
            ),
        ),
        tokenizer=dict(
            type="SentencePieceChatTokenizer",
            model_file="pretrain_weights/MLLMSeg_InternVL2_5_2B_RES/tokenizer.model",
        ),
    ),
    fusion=dict(semantic_channels=2048),
    decoder=dict(text_channels=2048),
)
