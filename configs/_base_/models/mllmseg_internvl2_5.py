# MLLMSeg on InternVL2.5, without the parts that depend on the size: internvl2_5/{1b,2b,4b,8b}.py
# inherit this file and add them. Every option is as the published weights require. The sizes are
# those of the published config.json, with two tokens added to the vocabulary.
model = dict(
    type="MLLMSeg",
    data_preprocessor=dict(
        type="GroundingDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
    mllm=dict(
        type="MLLM",
        adapter=dict(
            type="InternVL",
            dtype="bfloat16",
            attention="sdpa",
            vision_config=dict(
                hidden_size=1024,
                intermediate_size=4096,
                num_hidden_layers=24,
                num_attention_heads=16,
                image_size=448,
                patch_size=14,
                hidden_act="gelu",
                norm_type="layer_norm",
                layer_norm_eps=1e-6,
                qkv_bias=True,
                qk_normalization=False,
            ),
        ),
        # For a folder of InternVL2.5 itself, which lacks the two tokens.
        tokenizer=dict(new_tokens=["[SEG]", "[REJ]"], eos_token="<|im_end|>"),
        chat="internvl2_5",
        new_tokens=["[SEG]", "[REJ]"],
        image_token="<IMG_CONTEXT>",
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
        # Whole embeddings are trained, as published for the 8B. "new_rows" only trains those of
        # [SEG] and [REJ], with a fraction of the memory. (The published 1B and 4B freeze them by
        # mistake and cannot learn [REJ].)
        trainable=["embeddings", "final_norm"],
        gradient_checkpointing=True,
    ),
    fusion=dict(
        type="DetailSemanticFusion",
        detail_channels=1024,
        num_heads=8,
        dropout=0.1,
        init="xavier",  # "default": offsets start near 0, as in DySample
    ),
    decoder=dict(
        type="TokenMaskDecoder",
        channels=1024,
        num_heads=8,
        cell_size=14,
        norm="batch",  # "group": independent of the batch, for training from scratch
        dropout=0.1,
        init="xavier",
    ),
    mask_loss=dict(
        type="TokenMaskLoss",
        form="published",  # "corrected": the focal loss of the paper
        focal_weight=1.0,
        dice_weight=1.0,
    ),
    postprocessor=dict(
        type="TokenMaskPostprocessor",
        mask_thr=0.5,
        resize="probabilities",
        keep_rejected=True,
    ),
    answer_mode="teacher_forced",  # "constrained" and "generate" do not read the true answers
    shift_image_states=True,
    target_frame="original",
)
