# MLLMSeg on InternVL2.5-2B (InternViT-300M, InternLM2.5-1.8B): what differs from the 8B.
_base_ = ["mllmseg_internvl2_5_8b.py"]
model = dict(
    mllm=dict(
        adapter=dict(
            text_config=dict(
                hidden_size=2048,
                intermediate_size=8192,
                num_hidden_layers=24,
                num_attention_heads=16,
                num_key_value_heads=8,
            ),
        ),
        tokenizer=dict(model_file="pretrain_weights/MLLMSeg_InternVL2_5_2B_RES/tokenizer.model"),
    ),
    fusion=dict(semantic_channels=2048),
    decoder=dict(text_channels=2048),
)
