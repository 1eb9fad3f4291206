# MLLMSeg on InternVL2.5-4B (InternViT-300M, Qwen2.5-3B) for RES and REC:
# what differs from the 1B.
#   bash tools/dist_train.sh configs/refcoco/MLLMSeg-4B-refcoco.py 4
#   bash tools/dist_test.sh configs/refcoco/MLLMSeg-4B-refcoco.py 4 \
#       --load-from pretrain_weights/MLLMSeg_InternVL2_5_4B_RES
# The published protocol shows the model the true answers ("teacher_forced"); without them:
#       --cfg-options model.protocol=constrained   (or generate)
# No published numbers. Ours: not trained; the layout and the outputs are checked against recorded
# ones.
_base_ = ["MLLMSeg-1B-refcoco.py"]

model = dict(
    mllm=dict(
        pretrained="pretrain_weights/InternVL2_5-4B",
        adapter=dict(
            text_config=dict(
                hidden_size=2048,
                intermediate_size=11008,
                num_hidden_layers=36,
                num_attention_heads=16,
            ),
        ),
        tokenizer=dict(folder="pretrain_weights/MLLMSeg_InternVL2_5_4B_RES"),
    ),
    fusion=dict(semantic_channels=2048),
    decoder=dict(text_channels=2048),
)
