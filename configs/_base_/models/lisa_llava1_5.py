# LISA and its descendants on LLaVA-1.5 and SAM ViT-H, without the parts that depend on the size of
# the language model: llava1_5/{7b,13b}.py inherit this file and add them. Options are as the
# published weights require. The view of the language model has SAM's normalization and is padded,
# and its padding is masked, as UGround was trained; READ does not mask it.
_pixels = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
model = dict(
    data_preprocessor=dict(
        type="GroundingDataPreprocessor",
        **_pixels,
        pad_size=1024,
        views=dict(clip=dict(**_pixels, pad_size=336, mask_padding=True)),
    ),
    mllm=dict(
        type="MLLM",
        adapter=dict(
            type="LLaVA",
            dtype="bfloat16",
            attention="sdpa",
            # CLIP ViT-L/14 at 336 pixels
            vision_config=dict(
                hidden_size=1024,
                intermediate_size=4096,
                num_hidden_layers=24,
                num_attention_heads=16,
                image_size=336,
                patch_size=14,
                projection_dim=768,
                hidden_act="quick_gelu",
                layer_norm_eps=1e-5,
            ),
            projector="mlp2x_gelu",
            feature_layer=-2,
        ),
        # The tokens were added as plain strings to a slow tokenizer, which removes the whitespace
        # next to such tokens. The image is not in the vocabulary.
        tokenizer=dict(
            type="SentencePieceChatTokenizer",
            special_tokens={
                "<unk>": 0,
                "<s>": 1,
                "</s>": 2,
                "<image>": -200,
                "[SEG]": 32000,
                "[REJ]": 32001,
                "<im_start>": 32002,
                "<im_end>": 32003,
            },
            stripped_tokens=["[SEG]", "[REJ]", "<im_start>", "<im_end>"],
        ),
        chat="llava_v1",
        image_text="<im_start>{image}<im_end>",
        new_tokens=["[SEG]", "[REJ]", "<im_start>", "<im_end>"],
        lora=dict(targets=["q_proj", "v_proj"], rank=8, alpha=16, dropout=0.05),
        trainable=["embeddings"],
        gradient_checkpointing=True,
    ),
    image_encoder=dict(type="SAMImageEncoder"),
    prompt_encoder=dict(type="SAMPromptEncoder"),
    mask_decoder=dict(type="SAMMaskDecoder"),
    # The paper of LISA has 0.5 for the Dice loss, the scripts of its descendants 4.
    mask_loss=dict(type="TokenMaskBCEDiceLoss", bce_weight=2.0, dice_weight=4.0),
    postprocessor=dict(type="TokenMaskPostprocessor", resize="logits", keep_rejected=True),
    prompts="lisa",
    answer_mode="teacher_forced",  # "constrained" and "generate" do not read the true answers
)
