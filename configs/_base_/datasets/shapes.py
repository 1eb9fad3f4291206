# The generated world "shapes", made by: python tools/prepare_data.py shapes --out data/shapes
# Trained and validated on its gRefCOCO-type annotations; tested on those and the RefCOCO-type ones.
# A pipeline's steps have names, so that a config that inherits this one, or --cfg-options, can
# change one of them: `train_dataloader.dataset.pipeline.resize.size`.
image_size = 64
max_tokens = 16
tokenizer = dict(type="BEiT3Tokenizer", model_file="{{$SHAPES_ROOT:data/shapes}}/tokenizer.spm")

train_pipeline = dict(
    # All of the tiny world fits into the caches.
    load=dict(type="LoadImage", cache_mb=150),
    targets=dict(type="LoadTargets", keep_original=False),
    choose=dict(type="ChooseExpression"),
    clean=dict(type="CleanExpression"),
    resize=dict(type="Resize", size=image_size, cache_mb=150),
    flip=dict(type="RandomHorizontalFlip", prob=0.5),
    tokenize=dict(type="TokenizeExpression", tokenizer=tokenizer, max_tokens=max_tokens),
    pack=dict(type="PackGroundingInputs"),
)
test_pipeline = dict(
    load=dict(type="LoadImage"),
    targets=dict(type="LoadTargets"),
    choose=dict(type="ChooseExpression"),
    clean=dict(type="CleanExpression"),
    resize=dict(type="Resize", size=image_size),
    tokenize=dict(type="TokenizeExpression", tokenizer=tokenizer, max_tokens=max_tokens),
    pack=dict(type="PackGroundingInputs"),
)

grefcoco = dict(
    type="GRefCOCODataset",
    data_root="{{$SHAPES_ROOT:data/shapes}}",
    ann_root="grefcoco",
    image_root="images",
    pipeline=test_pipeline,
)
refcoco = dict(
    type="RefCOCODataset",
    data_root="{{$SHAPES_ROOT:data/shapes}}",
    ann_root="refcoco",
    image_root="images",
    pipeline=test_pipeline,
)
grefs_metrics = [dict(type="GRECMetric", score_thr=0.6), dict(type="GRESMetric")]
refs_metrics = [dict(type="RECMetric"), dict(type="RESMetric")]

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
    # By expression: a ref without target has one sentence, others up to three, so that by ref
    # a third of what is seen, and not a fifth, would show nothing.
    dataset=dict(grefcoco, split="train", group_by="expression", pipeline=train_pipeline),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
)
val_dataloader = dict(test_dataloader, dataset=dict(grefcoco, split="val"))
val_evaluator = grefs_metrics

# tools/test.py runs test_dataloader on each of these.
test_splits = dict(
    grefs_test=dict(dataset=dict(grefcoco, split="test"), evaluator=grefs_metrics),
    refs_test=dict(dataset=dict(refcoco, split="test"), evaluator=refs_metrics),
)

# What stands above by its parts is no key of its own: overriding it would change nothing.
del image_size, max_tokens, tokenizer, train_pipeline, test_pipeline
del grefcoco, refcoco, grefs_metrics, refs_metrics
