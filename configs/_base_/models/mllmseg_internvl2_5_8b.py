# MLLMSeg on InternVL2.5-8B (InternViT-300M, InternLM2.5-7B), every option as the published weights
# need it. The language model's and the vision tower's numbers are those of the published
# config.json, the vocabulary with the two tokens added.
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
        tokenizer=dict(
            type="SentencePieceChatTokenizer",
            model_file="pretrain_weights/MLLMSeg_InternVL2_5_8B_RES/tokenizer.model",
            new_tokens=["[SEG]", "[REJ]"],  # where the folder is that of InternVL2_5-8B
            eos_token="<|im_end|>",
        ),
        chat="internvl2_5",
        new_tokens=["[SEG]", "[REJ]"],
        image_token="<IMG_CONTEXT>",
    ),
    fusion=dict(
        type="DetailSemanticFusion",
        detail_channels=1024,
        semantic_channels=4096,
        num_heads=8,
        dropout=0.1,
        init="xavier",  # offsets that begin near 0, as DySample's authors have it: "default"
    ),
    decoder=dict(
        type="TokenMaskDecoder",
        channels=1024,
        text_channels=4096,
        num_heads=8,
        cell_size=14,
        norm="batch",  # independent of the batch, for training anew: "group"
        dropout=0.1,
        init="xavier",
    ),
    mask_loss=dict(
        type="TokenMaskLoss",
        form="published",  # the focal loss of the paper: "clean"
        focal_weight=1.0,
        dice_weight=1.0,
    ),
    postprocessor=dict(
        type="TokenMaskPostprocessor",
        mask_thr=0.5,
        resize="probabilities",
        keep_rejected=True,
    ),
    protocol="teacher_forced",  # without the true answers in the prompt: "constrained", "generate"
    training_form="chain",
    shift_image_states=True,
    target_frame="original",
)
