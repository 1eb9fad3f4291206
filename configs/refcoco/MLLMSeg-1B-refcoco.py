# MLLMSeg on InternVL2.5-1B (InternViT-300M, Qwen2.5-0.5B) for RES and REC:
# what differs from the 8B.
#   bash tools/dist_train.sh configs/refcoco/MLLMSeg-1B-refcoco.py 4
#   bash tools/dist_test.sh configs/refcoco/MLLMSeg-1B-refcoco.py 4 \
#       --load-from pretrain_weights/MLLMSeg_InternVL2_5_1B_RES
# The published protocol shows the model the true answers ("teacher_forced"); without them:
#       --cfg-options model.protocol=constrained   (or generate)
# No published numbers. Ours: not trained; the layout and the outputs are checked against recorded
# ones.
_base_ = ["MLLMSeg-8B-refcoco.py"]

model = dict(
    mllm=dict(
        pretrained="pretrain_weights/InternVL2_5-1B",
        adapter=dict(
            text_config=dict(
                _delete_=True,
                model_type="qwen2",
                vocab_size=151676,
                hidden_size=896,
                intermediate_size=4864,
                num_hidden_layers=24,
                num_attention_heads=14,
                num_key_value_heads=2,
                max_position_embeddings=32768,
                rms_norm_eps=1e-6,
                rope_theta=1000000.0,
            ),
        ),
        tokenizer=dict(
            _delete_=True,
            type="HuggingFaceChatTokenizer",
            folder="pretrain_weights/MLLMSeg_InternVL2_5_1B_RES",
            new_tokens=["[SEG]", "[REJ]"],
            eos_token="<|im_end|>",
        ),
    ),
    fusion=dict(semantic_channels=896),
    decoder=dict(text_channels=896),
)
