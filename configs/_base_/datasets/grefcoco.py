# gRefCOCO (Liu et al., GRES, CVPR 2023), as published:
#     data/grefcoco/{grefs(unc).json, instances.json}   data/images/train2014/COCO_train2014_*.jpg
# As BEiT-3 systems read it: the image stretched to a square, no augmentation.
image_size = 320
max_tokens = 50
tokenizer = dict(type="BEiT3Tokenizer", model_file="pretrain_weights/beit3.spm")

train_pipeline = dict(
    load=dict(type="LoadImage", cache_mb=160),
    choose=dict(type="ChooseExpression"),  # first: in R-RefCOCO it decides which targets there are
    targets=dict(type="LoadTargets", keep_original=False, dense=False),
    clean=dict(type="CleanExpression"),
    resize=dict(type="Resize", size=image_size, cache_mb=120),
    tokenize=dict(type="TokenizeExpression", tokenizer=tokenizer, max_tokens=max_tokens),
    pack=dict(type="PackGroundingInputs"),
)
test_pipeline = dict(train_pipeline, targets=dict(type="LoadTargets", dense=False))

grefcoco = dict(
    type="GRefCOCODataset",
    data_root="data",
    ann_root="grefcoco",
    image_root="images/train2014",
    split_by="unc",
    pipeline=test_pipeline,
)
metrics = [dict(type="GRECMetric"), dict(type="GRESMetric")]

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    # Shuffled within 256 images at a time, which the caches of the workers hold together: an image
    # is decoded once for its expressions. Without bounds: batch_sampler=None and
    # sampler=dict(type="DefaultSampler", shuffle=True).
    sampler=dict(type="ImageWindowSampler", window=256),
    batch_sampler=dict(type="WorkerAffineBatchSampler", lanes=4),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
    dataset=dict(grefcoco, split="train", group_by="ref", pipeline=train_pipeline),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type="ImageWindowSampler", shuffle=False),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
)
val_dataloader = dict(test_dataloader, dataset=dict(grefcoco, split="val"))
val_evaluator = metrics

# tools/test.py runs test_dataloader on each of these.
test_splits = dict(
    val=dict(dataset=dict(grefcoco, split="val"), evaluator=metrics),
    testA=dict(dataset=dict(grefcoco, split="testA"), evaluator=metrics),
    testB=dict(dataset=dict(grefcoco, split="testB"), evaluator=metrics),
)

# What stands above by its parts is no key of its own: overriding it would change nothing.
del image_size, max_tokens, tokenizer, train_pipeline, test_pipeline, grefcoco, metrics
