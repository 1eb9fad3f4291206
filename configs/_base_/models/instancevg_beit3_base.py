# InstanceVG on BEiT-3 Base at 320 px, every option as the published weights need it ("published").
# The better-behaved options for training anew stand beside each as a comment.
model = dict(
    type="InstanceVG",
    channels=256,
    data_preprocessor=dict(
        type="GroundingDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
    backbone=dict(
        type="BEiT3",
        embed_dim=768,
        depth=12,
        num_heads=12,
        ffn_dim=3072,
        image_size=320,
        patch_size=16,
        vocab_size=64010,
        num_text_positions=1024,
        drop_path_rate=0.1,
    ),
    neck=dict(type="SimpleFPN", in_channels=256, out_channels=256),
    pixel_decoder=dict(type="UNetDecoder", channels=256, num_levels=4),
    query_selector=dict(
        type="AttentionQuerySelector",
        channels=256,
        num_queries=10,
        num_heads=8,
        ffn_channels=512,
        dropout=0.1,
        distance_weight=0.003,
        token_score="mean",
    ),  # the paper's formula: 'l2'
    decoder=dict(
        type="InstanceQueryDecoder",
        channels=256,
        num_layers=3,
        num_heads=8,
        num_levels=4,
        num_points=4,
        ffn_channels=1024,
        dropout=0.1,
        reference="sum",
    ),  # inside the image: 'residual'
    box_head=dict(
        type="QueryBoxHead",
        channels=256,
        matcher=dict(
            type="HungarianMatcher", class_cost=1.0, l1_cost=5.0, giou_cost=2.0, point_cost=2.0
        ),
        class_weight=1.0,
        l1_weight=5.0,
        giou_weight=2.0,
        aux_weights=(1.0, 1.0, 1.0),  # as the last layer's: None
        no_object_weight=0.1,
        loss_weight=0.1,
    ),
    query_mask_head=dict(
        type="QueryMaskHead",
        loss=dict(type="MaskLoss", dice_weight=1.0, bce_weight=1.0),
        background_weight=0.2,
    ),
    semantic_mask_head=dict(
        type="SemanticMaskHead",
        channels=256,
        loss=dict(type="MaskLoss", dice_weight=1.0, bce_weight=1.0),
    ),
    existence_head=dict(
        type="ExistenceHead",
        channels=256,
        activation="sigmoid",  # as it is trained: 'softmax'
        class_weights=(0.9, 1.1),
        loss_weight=0.2,
    ),
    attention_loss=dict(
        type="AttentionLoss",
        form="logits",  # one that has a gradient to speak of: 'mass'
        loss_weight=0.1,
    ),
    postprocessor=dict(
        type="InstancePostprocessor",
        score_thr=0.7,
        mask_thr=0.5,
        score_weighted=True,
        merged_mask="merge",
        nms_thr=None,
        frame="original",  # the published numbers: 'input'
        mask_resize="nearest",
    ),
)
