# The mixture that MLLMSeg is trained on for RES: RefCLEF, RefCOCO, RefCOCO+ and RefCOCOg are drawn
# with equal probability, then an image, then up to five expressions of the image. Images are
# stretched to a square and compressed as JPEGs of random quality; masks keep their size. In tests,
# all expressions of an image are in the same batch. Published files:
#     data/refer_seg/{refclef,refcoco,refcoco+,refcocog}/{refs(...).p, instances.json}
#     data/refer_seg/images/mscoco/images/train2014, data/refer_seg/images/saiapr_tc-12
_train_pipeline = dict(
    load=dict(type="LoadImage"),
    draw=dict(type="SampleExpressions", max_expressions=5),
    targets=dict(type="LoadTargets"),
    jpeg=dict(type="RandomJPEG", quality=(75, 100)),
    resize=dict(type="Resize", size=448, backend="pil", interpolation="bicubic"),
    conversations=dict(type="WriteReferringConversations", prompts="mllmseg", packing="joint"),
    pack=dict(type="PackGroundingInputs"),
)
_test_pipeline = dict(
    load=dict(type="LoadImage"),
    targets=dict(type="LoadTargets"),
    choose=dict(type="ChooseExpression"),
    clean=dict(type="CleanExpression", variant="mllmseg"),
    resize=dict(type="Resize", size=448, backend="pil", interpolation="bicubic"),
    pack=dict(type="PackGroundingInputs"),
)
_coco = "images/mscoco/images/train2014"
_common = dict(type="RefCOCODataset", data_root="data/refer_seg", split="train")
_train = dict(_common, group_by="image", pipeline=_train_pipeline)
_test = dict(_common, image_root=_coco, pipeline=_test_pipeline)
_metrics = [
    dict(type="RESMetric"),
    dict(type="RESMetric", protocol="mllmseg", prefix="res_mllmseg"),
    dict(
        type="RECMetric", source="mask", mask_box="pixel_index", inclusive=False, thresholds=[0.5]
    ),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="MixtureSampler", num_samples=1600000),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
    dataset=dict(
        type="ConcatDataset",
        datasets=[
            dict(_train, ann_root="refclef", split_by="unc", image_root="images/saiapr_tc-12"),
            dict(_train, ann_root="refcoco", split_by="unc", image_root=_coco),
            dict(_train, ann_root="refcoco+", split_by="unc", image_root=_coco),
            dict(_train, ann_root="refcocog", split_by="umd", image_root=_coco),
        ],
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    sampler=dict(type="DefaultSampler", shuffle=False),
    batch_sampler=dict(type="ImageBatchSampler"),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
)
val_dataloader = dict(
    test_dataloader, dataset=dict(_test, ann_root="refcoco", split_by="unc", split="val")
)
val_evaluator = _metrics

# tools/test.py runs test_dataloader on each of these.
_refcoco = dict(_test, ann_root="refcoco", split_by="unc")
_refcoco_plus = dict(_test, ann_root="refcoco+", split_by="unc")
_refcocog = dict(_test, ann_root="refcocog", split_by="umd")
test_splits = dict(
    refcoco_val=dict(dataset=dict(_refcoco, split="val"), evaluator=_metrics),
    refcoco_testA=dict(dataset=dict(_refcoco, split="testA"), evaluator=_metrics),
    refcoco_testB=dict(dataset=dict(_refcoco, split="testB"), evaluator=_metrics),
    refcoco_plus_val=dict(dataset=dict(_refcoco_plus, split="val"), evaluator=_metrics),
    refcoco_plus_testA=dict(dataset=dict(_refcoco_plus, split="testA"), evaluator=_metrics),
    refcoco_plus_testB=dict(dataset=dict(_refcoco_plus, split="testB"), evaluator=_metrics),
    refcocog_val=dict(dataset=dict(_refcocog, split="val"), evaluator=_metrics),
    refcocog_test=dict(dataset=dict(_refcocog, split="test"), evaluator=_metrics),
)
