# The generated shapes: python tools/prepare_data.py shapes --out data/shapes Trained and validated
# on the annotations in gRefCOCO's format, tested on these and on those in RefCOCO's format. The
# transforms of a pipeline have names, so that a config that inherits this one, or --cfg-options,
# can change one of them: `train_dataloader.dataset.pipeline.resize.size`.
_image_size = 64
_max_tokens = 16
_tokenizer = dict(type="BEiT3Tokenizer", model_file="{{$SHAPES_ROOT:data/shapes}}/tokenizer.spm")

_train_pipeline = dict(
    # All images of the tiny scale fit into the caches.
    load=dict(type="LoadImage", cache_mb=150),
    targets=dict(type="LoadTargets", keep_original=False),
    choose=dict(type="ChooseExpression"),
    clean=dict(type="CleanExpression"),
    resize=dict(type="Resize", size=_image_size, cache_mb=150),
    flip=dict(type="RandomHorizontalFlip", prob=0.5),
    tokenize=dict(type="TokenizeExpression", tokenizer=_tokenizer, max_tokens=_max_tokens),
    pack=dict(type="PackGroundingInputs"),
)
_test_pipeline = dict(
    load=dict(type="LoadImage"),
    targets=dict(type="LoadTargets"),
    choose=dict(type="ChooseExpression"),
    clean=dict(type="CleanExpression"),
    resize=dict(type="Resize", size=_image_size),
    tokenize=dict(type="TokenizeExpression", tokenizer=_tokenizer, max_tokens=_max_tokens),
    pack=dict(type="PackGroundingInputs"),
)

_grefcoco = dict(
    type="GRefCOCODataset",
    data_root="{{$SHAPES_ROOT:data/shapes}}",
    ann_root="grefcoco",
    image_root="images",
    pipeline=_test_pipeline,
)
_refcoco = dict(
    type="RefCOCODataset",
    data_root="{{$SHAPES_ROOT:data/shapes}}",
    ann_root="refcoco",
    image_root="images",
    pipeline=_test_pipeline,
)
_grefs_metrics = [dict(type="GRECMetric", score_thr=0.6), dict(type="GRESMetric")]
_refs_metrics = [dict(type="RECMetric"), dict(type="RESMetric")]

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
    # By expression: a ref without a target has one sentence, others have up to three. By ref, a
    # third of the samples instead of a fifth would have no target.
    dataset=dict(_grefcoco, split="train", group_by="expression", pipeline=_train_pipeline),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
)
val_dataloader = dict(test_dataloader, dataset=dict(_grefcoco, split="val"))
val_evaluator = _grefs_metrics

# tools/test.py runs test_dataloader on each of these.
test_splits = dict(
    grefs_test=dict(dataset=dict(_grefcoco, split="test"), evaluator=_grefs_metrics),
    refs_test=dict(dataset=dict(_refcoco, split="test"), evaluator=_refs_metrics),
)
