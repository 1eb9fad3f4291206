# gRefCOCO (Liu et al., GRES, CVPR 2023) in its published files:
#     data/grefcoco/{grefs(unc).json, instances.json}   data/images/train2014/COCO_train2014_*.jpg
# Pipeline of BEiT-3 systems: the image is stretched to a square, without augmentation.
_image_size = 320
_max_tokens = 50
_tokenizer = dict(type="BEiT3Tokenizer", model_file="pretrain_weights/beit3.spm")

_train_pipeline = dict(
    load=dict(type="LoadImage", cache_mb=160),
    choose=dict(type="ChooseExpression"),  # first: in R-RefCOCO it determines the targets
    targets=dict(type="LoadTargets", keep_original=False, dense=False),
    clean=dict(type="CleanExpression"),
    resize=dict(type="Resize", size=_image_size, cache_mb=120),
    tokenize=dict(type="TokenizeExpression", tokenizer=_tokenizer, max_tokens=_max_tokens),
    pack=dict(type="PackGroundingInputs"),
)
_test_pipeline = dict(_train_pipeline, targets=dict(type="LoadTargets", dense=False))

_grefcoco = dict(
    type="GRefCOCODataset",
    data_root="data",
    ann_root="grefcoco",
    image_root="images/train2014",
    split_by="unc",
    pipeline=_test_pipeline,
)
_metrics = [dict(type="GRECMetric"), dict(type="GRESMetric")]

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    # Shuffled within 256 images at a time, which fit into the caches of the workers, so that an
    # image is decoded once for all of its expressions. To shuffle globally: batch_sampler=None and
    # sampler=dict(type="DefaultSampler", shuffle=True).
    sampler=dict(type="ImageWindowSampler", window=256),
    batch_sampler=dict(type="WorkerAffineBatchSampler", num_workers=4),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
    dataset=dict(_grefcoco, split="train", group_by="ref", pipeline=_train_pipeline),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type="ImageWindowSampler", shuffle=False),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
)
val_dataloader = dict(test_dataloader, dataset=dict(_grefcoco, split="val"))
val_evaluator = _metrics

# tools/test.py runs test_dataloader on each of these.
test_splits = dict(
    val=dict(dataset=dict(_grefcoco, split="val"), evaluator=_metrics),
    testA=dict(dataset=dict(_grefcoco, split="testA"), evaluator=_metrics),
    testB=dict(dataset=dict(_grefcoco, split="testB"), evaluator=_metrics),
)
