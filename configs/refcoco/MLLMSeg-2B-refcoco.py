# MLLMSeg on InternVL2.5-2B (InternViT-300M, InternLM2.5-1.8B) for RES and REC:
# what differs from the 8B.
#   bash tools/dist_train.sh configs/refcoco/MLLMSeg-2B-refcoco.py 4
#   bash tools/dist_test.sh configs/refcoco/MLLMSeg-2B-refcoco.py 4 \
#       --load-from pretrain_weights/MLLMSeg_InternVL2_5_2B_RES
# The published protocol shows the model the true answers ("teacher_forced"); without them:
#       --cfg-options model.protocol=constrained   (or generate)
# No published numbers. Ours: not trained; the layout and the outputs are checked against recorded
# ones.
_base_ = ["MLLMSeg-8B-refcoco.py"]

model = dict(
    mllm=dict(
        pretrained="pretrain_weights/InternVL2_5-2B",
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
