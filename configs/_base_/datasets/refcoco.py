# RefCOCO (Yu et al., ECCV 2016), UNC partition, in its published files:
#     data/refcoco/{refs(unc).p, instances.json}   data/images/train2014/COCO_train2014_*.jpg
# Pipeline of BEiT-3 systems: the image is stretched to a square, without augmentation.
_image_size = 320
_max_tokens = 20
_tokenizer = dict(type="BEiT3Tokenizer", model_file="pretrain_weights/beit3.spm")

_train_pipeline = dict(
    load=dict(type="LoadImage"),
    targets=dict(type="LoadTargets", keep_original=False),
    choose=dict(type="ChooseExpression"),
    clean=dict(type="CleanExpression"),
    resize=dict(type="Resize", size=_image_size),
    tokenize=dict(type="TokenizeExpression", tokenizer=_tokenizer, max_tokens=_max_tokens),
    pack=dict(type="PackGroundingInputs"),
)
_test_pipeline = dict(_train_pipeline, targets=dict(type="LoadTargets"))

_refcoco = dict(
    type="RefCOCODataset",
    data_root="data",
    ann_root="refcoco",
    image_root="images/train2014",
    split_by="unc",
    pipeline=_test_pipeline,
)
_metrics = [dict(type="RECMetric"), dict(type="RESMetric")]

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
    dataset=dict(_refcoco, split="train", group_by="ref", pipeline=_train_pipeline),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
)
val_dataloader = dict(test_dataloader, dataset=dict(_refcoco, split="val"))
val_evaluator = _metrics

# tools/test.py runs test_dataloader on each of these.
test_splits = dict(
    val=dict(dataset=dict(_refcoco, split="val"), evaluator=_metrics),
    testA=dict(dataset=dict(_refcoco, split="testA"), evaluator=_metrics),
    testB=dict(dataset=dict(_refcoco, split="testB"), evaluator=_metrics),
)
