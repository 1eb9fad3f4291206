# InternVL2.5-8B (InternViT-300M, InternLM2.5-7B) in MLLMSeg.
_base_ = ["../mllmseg_internvl2_5.py"]

model = dict(
    mllm=dict(
        adapter=dict(
            text_config=dict(
                model_type="internlm2",
                vocab_size=92555,
                hidden_size=4096,
                intermediate_size=14336,
                num_hidden_layers=32,
                num_attention_heads=32,
                num_key_value_heads=8,
                max_position_embeddings=32768,
                rms_norm_eps=1e-5,
                rope_theta=1000000,
                rope_scaling=dict(type="dynamic", factor=2.0),
            ),
        ),
        tokenizer=dict(
            type="SentencePieceChatTokenizer",
            model_file="pretrain_weights/MLLMSeg_InternVL2_5_8B_RES/tokenizer.model",
        ),
    ),
    fusion=dict(semantic_channels=4096),
    decoder=dict(text_channels=4096),
)
