# The generated shapes with the two views of LISA and its descendants: SAM's and CLIP's, both with
# the ratio of the image, padded after normalization. A training sample is an image with up to eight
# conversations.
_base_ = ["shapes.py"]

_view_size = 96
_views = dict(
    view=dict(
        type="AddView",
        key="clip",
        steps=[dict(type="ResizeSide", size=_view_size, rounding="half_up", backend="pil")],
    ),
    resize=dict(type="ResizeSide", size=_view_size, rounding="half_up", backend="pil"),
)
_train_pipeline = dict(
    _delete_=True,
    load=dict(type="LoadImage", cache_mb=150),
    draw=dict(type="SampleExpressions", max_expressions=8),
    targets=dict(type="LoadTargets", keep_original=False),
    flip=dict(type="RandomHorizontalFlip", prob=0.5),
    **_views,
    conversations=dict(
        type="WriteReferringConversations",
        prompts=dict(questions=["<image>{expressions}"], answers=[["", "{token}"]], end=""),
        packing="separate",
    ),
    pack=dict(type="PackGroundingInputs", views=["clip"]),
)
_test_pipeline = dict(
    _delete_=True,
    load=dict(type="LoadImage"),
    targets=dict(type="LoadTargets"),
    choose=dict(type="ChooseExpression"),
    **_views,
    pack=dict(type="PackGroundingInputs", views=["clip"]),
)
_images = dict(type="ImageBatchSampler")

train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(group_by="image", pipeline=_train_pipeline),
)
val_dataloader = dict(batch_size=16, batch_sampler=_images, dataset=dict(pipeline=_test_pipeline))
test_dataloader = dict(batch_size=16, batch_sampler=_images)
val_evaluator = [dict(type="GRESMetric")]
test_splits = dict(
    grefs_test=dict(dataset=dict(pipeline=_test_pipeline), evaluator=[dict(type="GRESMetric")]),
    refs_test=dict(
        dataset=dict(pipeline=_test_pipeline),
        evaluator=[dict(type="RECMetric"), dict(type="RESMetric")],
    ),
)
