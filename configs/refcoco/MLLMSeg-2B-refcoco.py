# MLLMSeg on InternVL2.5-2B for RES and REC.
#   bash tools/dist_train.sh configs/refcoco/MLLMSeg-2B-refcoco.py 4
#   bash tools/dist_test.sh configs/refcoco/MLLMSeg-2B-refcoco.py 4 \
#       --load-from pretrain_weights/MLLMSeg_InternVL2_5_2B_RES
# The published protocol shows the model the true answers ("teacher_forced"); without them:
#       --cfg-options model.protocol=constrained   (or generate)
# No published numbers. Ours: not trained; the layout and the outputs are checked against recorded
# ones.
_base_ = [
    "../_base_/models/mllmseg_internvl2_5_2b.py",
    "../_base_/datasets/mllmseg_refer.py",
    "../_base_/schedules/mllmseg_50k.py",
    "../_base_/runtime/mllm.py",
]

# Whole embeddings are trained, as published for the 8B; "new_rows" trains those of [SEG] and [REJ]
# alone, at a fraction of the memory. (The published 1B and 4B freeze them by mistake, and can't
# learn [REJ].)
model = dict(
    mllm=dict(
        pretrained="pretrain_weights/InternVL2_5-2B",
        lora=dict(
            targets=[
                "q_proj",
                "k_proj",
                "v_proj",
                "o_proj",
                "gate_proj",
                "up_proj",
                "down_proj",
            ],
            rank=64,
            alpha=128,
            dropout=0.05,
        ),
        trainable=["embeddings", "final_norm"],
        gradient_checkpointing=True,
    ),
)
