# The mixture that MLLMSeg is trained on for RES: RefCLEF, RefCOCO, RefCOCO+ and RefCOCOg, each
# drawn as often, then one of its images, then up to five of the image's expressions. Images are
# squeezed to a square and compressed as JPEGs of random quality; masks keep their size. Tests show
# a model all expressions of an image next to one another. Files as published:
#     data/refer_seg/{refclef,refcoco,refcoco+,refcocog}/{refs(...).p, instances.json}
#     data/refer_seg/images/mscoco/images/train2014, data/refer_seg/images/saiapr_tc-12
_train_pipeline = dict(
    load=dict(type="LoadImage"),
    draw=dict(type="SampleExpressions", max_expressions=5),
    targets=dict(type="LoadTargets"),
    jpeg=dict(type="RandomJPEG", quality=(75, 100)),
    resize=dict(type="Resize", size=448, backend="pil", interpolation="bicubic"),
    pack=dict(type="PackExpressionGroup"),
)
_test_pipeline = dict(
    load=dict(type="LoadImage"),
    targets=dict(type="LoadTargets"),
    choose=dict(type="ChooseExpression"),
    clean=dict(type="CleanExpression", variant="mllmseg"),
    resize=dict(type="Resize", size=448, backend="pil", interpolation="bicubic"),
    pack=dict(type="PackGroundingInputs"),
)
coco = "images/mscoco/images/train2014"
common = dict(type="RefCOCODataset", data_root="data/refer_seg", split="train")
train = dict(common, group_by="image", pipeline=_train_pipeline)
test = dict(common, image_root=coco, pipeline=_test_pipeline)
metrics = [
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
    collate_fn=dict(type="vgtoolbox.group_collate"),
    dataset=dict(
        type="ConcatDataset",
        datasets=[
            dict(train, ann_root="refclef", split_by="unc", image_root="images/saiapr_tc-12"),
            dict(train, ann_root="refcoco", split_by="unc", image_root=coco),
            dict(train, ann_root="refcoco+", split_by="unc", image_root=coco),
            dict(train, ann_root="refcocog", split_by="umd", image_root=coco),
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
    test_dataloader, dataset=dict(test, ann_root="refcoco", split_by="unc", split="val")
)
val_evaluator = metrics

# tools/test.py runs test_dataloader on each of these.
refcoco = dict(test, ann_root="refcoco", split_by="unc")
refcoco_plus = dict(test, ann_root="refcoco+", split_by="unc")
refcocog = dict(test, ann_root="refcocog", split_by="umd")
test_splits = dict(
    refcoco_val=dict(dataset=dict(refcoco, split="val"), evaluator=metrics),
    refcoco_testA=dict(dataset=dict(refcoco, split="testA"), evaluator=metrics),
    refcoco_testB=dict(dataset=dict(refcoco, split="testB"), evaluator=metrics),
    refcoco_plus_val=dict(dataset=dict(refcoco_plus, split="val"), evaluator=metrics),
    refcoco_plus_testA=dict(dataset=dict(refcoco_plus, split="testA"), evaluator=metrics),
    refcoco_plus_testB=dict(dataset=dict(refcoco_plus, split="testB"), evaluator=metrics),
    refcocog_val=dict(dataset=dict(refcocog, split="val"), evaluator=metrics),
    refcocog_test=dict(dataset=dict(refcocog, split="test"), evaluator=metrics),
)

# What stands above by its parts is no key of its own: overriding it would change nothing.
del coco, common, train, test, metrics, refcoco, refcoco_plus, refcocog
