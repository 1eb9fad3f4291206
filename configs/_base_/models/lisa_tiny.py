# LISA and its descendants in small sizes and from random weights, with the classes of the published
# models. The type of the model and what it adds are in the configs that inherit this one.
_input_size = 96
_channels = 128
_sam_channels = 64
_pixels = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
model = dict(
    data_preprocessor=dict(
        type="GroundingDataPreprocessor",
        **_pixels,
        pad_size=_input_size,
        views=dict(clip=dict(**_pixels, pad_size=_input_size, mask_padding=True)),
    ),
    mllm=dict(
        type="MLLM",
        adapter=dict(
            type="LLaVA",
            # Qwen2 has the biases that local_attention needs, see MLLMSeg-tiny-shapes.py.
            text_config=dict(
                model_type="qwen2",
                vocab_size=576,
                hidden_size=_channels,
                intermediate_size=256,
                num_hidden_layers=4,
                num_attention_heads=4,
                num_key_value_heads=4,
                max_position_embeddings=1024,
                rms_norm_eps=1e-5,
                rope_theta=1000,
                initializer_range=0.02,
            ),
            vision_config=dict(
                hidden_size=_channels,
                intermediate_size=256,
                num_hidden_layers=3,
                num_attention_heads=4,
                image_size=_input_size,
                patch_size=12,
                hidden_act="quick_gelu",
            ),
            feature_layer=-1,
            embed_init_std=0.5,
            sine_position_scale=2.0,
            cosine_patch_scale=4.0,
            local_attention=10.0,
        ),
        tokenizer=dict(
            type="SentencePieceChatTokenizer",
            model_file="{{$SHAPES_ROOT:data/shapes}}/tokenizer.spm",
            special_tokens={"</s>": 570, "<image>": -200, "[SEG]": 574, "[REJ]": 575},
            eos_token="</s>",
        ),
        chat="plain",
        new_tokens=["[SEG]", "[REJ]"],
        trainable=["all"],
    ),
    image_encoder=dict(
        type="SAMImageEncoder",
        image_size=_input_size,
        patch_size=8,
        embed_dim=_channels,
        depth=3,
        num_heads=4,
        global_blocks=[0, 1, 2],
        out_channels=_sam_channels,
    ),
    freeze_image_encoder=False,
    prompt_encoder=dict(
        type="SAMPromptEncoder", image_size=_input_size, patch_size=8, channels=_sam_channels
    ),
    mask_decoder=dict(type="SAMMaskDecoder", channels=_sam_channels, num_heads=4, ffn_channels=256),
    mask_loss=dict(type="TokenMaskBCEDiceLoss", bce_weight=2.0, dice_weight=4.0),
    postprocessor=dict(type="TokenMaskPostprocessor"),
    prompts=dict(questions=["<image>{expressions}"], answers=[["", "{token}"]], end=""),
    answer_mode="constrained",
    target_frame="input",
    language_weight=0.03,
)
