# PLVL on ViTDet-B and BERT-base at 448 px, with all options as the published weights require
# ("published"). Comments give the better-behaved options for training from scratch ("clean").
model = dict(
    type="PLVL",
    channels=512,
    tasks=("boxes", "masks"),  # REC only: ("boxes",), RES only: ("masks",)
    data_preprocessor=dict(type="GroundingDataPreprocessor"),  # ImageNet's mean and deviation
    text_encoder=dict(
        type="BertTextEncoder",
        vocab_size=30522,
        embed_dim=768,
        num_layers=12,
        num_heads=12,
        ffn_dim=3072,
        dropout=0.1,
    ),
    backbone=dict(
        type="ViTDet",
        embed_dim=768,
        depth=12,
        num_heads=12,
        patch_size=16,
        window_size=14,
        global_blocks=(2, 5, 8, 11),
        position_grid_size=14,
        relative_grid_size=64,
        drop_path_rate=0.1,
        text_blocks=(2, 5, 8, 11),  # (): without language in the backbone
        text_injector=dict(
            type="TextInjector",
            num_heads=8,
            bottleneck=64,
            dropout=0.1,
            mask_padding=False,  # True: attend to words only
        ),
    ),
    decoder=dict(
        type="VisionLanguageDecoder",
        channels=512,
        num_layers=3,
        num_heads=8,
        ffn_channels=1024,
        dropout=0.1,
    ),
    box_head=dict(
        type="CenterHead",
        channels=512,
        center_weight=1.0,
        l1_weight=1.0,
        giou_weight=1.0,
        loss_weight=0.1,
        supervised_cell="peak",  # 'target': in the cell of the target, as in CenterNet
        keep_center_inside=False,  # True: a target at the border keeps its peak
        prior_score=None,  # 0.1: as in CenterNet
    ),
    mask_head=dict(
        type="PatchMaskHead",
        in_channels=256,
        patch_size=16,
        loss=dict(
            type="FocalDiceLoss",
            focal_weight=1.0,
            dice_weight=1.0,
            form="published",  # "corrected": without the second sigmoid
        ),
    ),
    postprocessor=dict(
        type="InstancePostprocessor",
        score_thr=0.0,  # always one target, as published; for no-target data, choose on a val split
        mask_thr=0.5,
        score_weighted=False,  # the best cell has the only score
        merged_mask="best",
        frame="original",  # 'input': for the published mIoU of masks
        mask_resize="bilinear",
    ),
)
