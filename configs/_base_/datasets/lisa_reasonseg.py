# ReasonSeg (Lai et al., LISA, CVPR 2024) with the two views of LISA's descendants: SAM's, 1024
# pixels on the long side, and that of the language model, 336. Trained on up to three questions per
# image in sampled wordings, tested on the first one. Images with several questions have one
# conversation for each. Published files:
#     data/reason_seg/ReasonSeg/{train,val,test}/{NAME.jpg,NAME.json}
_views = dict(
    view=dict(
        type="AddView",
        key="clip",
        steps=[dict(type="ResizeSide", size=336, backend="pil", rounding="half_up")],
    ),
    resize=dict(type="ResizeSide", size=1024, backend="pil", rounding="half_up"),
)
_train_pipeline = dict(
    load=dict(type="LoadImage"),
    draw=dict(type="SampleExpressions", max_expressions=3),
    targets=dict(type="LoadTargets"),
    **_views,
    conversations=dict(
        type="WriteReferringConversations",
        prompts="lisa",
        packing="separate",
        shared_question=False,
    ),
    pack=dict(type="PackGroundingInputs", views=["clip"]),
)
_test_pipeline = dict(
    load=dict(type="LoadImage"),
    targets=dict(type="LoadTargets"),
    choose=dict(type="ChooseExpression"),
    **_views,
    pack=dict(type="PackGroundingInputs", views=["clip"]),
)
_reasonseg = dict(type="ReasonSegDataset", data_root="data", ann_root="reason_seg/ReasonSeg")
_tested = dict(_reasonseg, texts="first", pipeline=_test_pipeline)
_metrics = [dict(type="ReasonSegMetric")]

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="MixtureSampler", num_samples=480000),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
    dataset=dict(_reasonseg, split="train", group_by="image", pipeline=_train_pipeline),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
)
val_dataloader = dict(test_dataloader, dataset=dict(_tested, split="val"))
val_evaluator = _metrics
test_splits = dict(
    val=dict(dataset=dict(_tested, split="val"), evaluator=_metrics),
    test=dict(dataset=dict(_tested, split="test"), evaluator=_metrics),
    test_shortquery=dict(dataset=dict(_tested, split="test_shortquery"), evaluator=_metrics),
    test_longquery=dict(dataset=dict(_tested, split="test_longquery"), evaluator=_metrics),
)
