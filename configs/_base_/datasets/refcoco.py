# RefCOCO (Yu et al., ECCV 2016), division of UNC, as published:
#     data/refcoco/{refs(unc).p, instances.json}   data/images/train2014/COCO_train2014_*.jpg
# As BEiT-3 systems read it: the image stretched to a square, no augmentation.
image_size = 320
max_tokens = 20
tokenizer = dict(type="BEiT3Tokenizer", model_file="pretrain_weights/beit3.spm")

train_pipeline = dict(
    load=dict(type="LoadImage"),
    targets=dict(type="LoadTargets", keep_original=False),
    choose=dict(type="ChooseExpression"),
    clean=dict(type="CleanExpression"),
    resize=dict(type="Resize", size=image_size),
    tokenize=dict(type="TokenizeExpression", tokenizer=tokenizer, max_tokens=max_tokens),
    pack=dict(type="PackGroundingInputs"),
)
test_pipeline = dict(train_pipeline, targets=dict(type="LoadTargets"))

refcoco = dict(
    type="RefCOCODataset",
    data_root="data",
    ann_root="refcoco",
    image_root="images/train2014",
    split_by="unc",
    pipeline=test_pipeline,
)
metrics = [dict(type="RECMetric"), dict(type="RESMetric")]

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
    dataset=dict(refcoco, split="train", group_by="ref", pipeline=train_pipeline),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
)
val_dataloader = dict(test_dataloader, dataset=dict(refcoco, split="val"))
val_evaluator = metrics

# tools/test.py runs test_dataloader on each of these.
test_splits = dict(
    val=dict(dataset=dict(refcoco, split="val"), evaluator=metrics),
    testA=dict(dataset=dict(refcoco, split="testA"), evaluator=metrics),
    testB=dict(dataset=dict(refcoco, split="testB"), evaluator=metrics),
)

# What stands above by its parts is no key of its own: overriding it would change nothing.
del image_size, max_tokens, tokenizer, train_pipeline, test_pipeline, refcoco, metrics
