# What of the 8B is trained, for RES and GRES alike.
# Whole embeddings are trained, as published for the 8B; "new_rows" trains those of [SEG] and [REJ]
# alone, at a fraction of the memory. (The published 1B and 4B freeze them by mistake, and can't
# learn [REJ].)
_base_ = ["mllmseg_internvl2_5_8b.py"]

model = dict(
    mllm=dict(
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
