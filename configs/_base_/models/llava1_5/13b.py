# LLaVA-1.5-13B (Vicuna-13B and CLIP ViT-L/14 at 336 pixels) in LISA and its descendants.
_base_ = ["../lisa_llava1_5.py"]

_llava = "pretrain_weights/llava-v1.5-13b"
model = dict(
    mllm=dict(
        adapter=dict(
            text_config=dict(
                model_type="llama",
                vocab_size=32004,
                hidden_size=5120,
                intermediate_size=13824,
                num_hidden_layers=40,
                num_attention_heads=40,
                num_key_value_heads=40,
                max_position_embeddings=4096,
                rms_norm_eps=1e-5,
            ),
        ),
        tokenizer=dict(model_file=f"{_llava}/tokenizer.model"),
        pretrained=[_llava, "pretrain_weights/clip-vit-large-patch14-336"],
    ),
)
