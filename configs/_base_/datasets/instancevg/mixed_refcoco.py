# RefCOCO, RefCOCO+ (UNC) and RefCOCOg (UMD) together, as published by their authors:
#     data/{refcoco,refcoco+}/{refs(unc).p, instances.json}
#     data/refcocog/{refs(umd).p, instances.json}   data/images/train2014/COCO_train2014_*.jpg
# The published mixture is a plain concatenation, without a look at which images of one are tested
# on in another. `exclude_images_of` of a dataset leaves such images out; the numbers are then not
# those of the published mixture.
_base_ = ["../refcoco.py"]

common = dict(type="RefCOCODataset", data_root="data", image_root="images/train2014")
plain = dict(common, ann_root="refcoco", split_by="unc")
plus = dict(common, ann_root="refcoco+", split_by="unc")
umd = dict(common, ann_root="refcocog", split_by="umd")
trained = dict(split="train", group_by="ref", pipeline={{_base_.train_dataloader.dataset.pipeline}})
tested = {{_base_.val_dataloader.dataset.pipeline}}
metrics = [dict(type="RECMetric"), dict(type="RESMetric")]

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        datasets=[dict(plain, **trained), dict(plus, **trained), dict(umd, **trained)],
    )
)
val_dataloader = dict(dataset=dict(plain, split="val", pipeline=tested))
val_evaluator = metrics
test_splits = dict(
    _delete_=True,
    val_refcoco_unc=dict(dataset=dict(plain, split="val", pipeline=tested), evaluator=metrics),
    testA_refcoco_unc=dict(dataset=dict(plain, split="testA", pipeline=tested), evaluator=metrics),
    testB_refcoco_unc=dict(dataset=dict(plain, split="testB", pipeline=tested), evaluator=metrics),
    val_refcocoplus_unc=dict(dataset=dict(plus, split="val", pipeline=tested), evaluator=metrics),
    testA_refcocoplus_unc=dict(
        dataset=dict(plus, split="testA", pipeline=tested), evaluator=metrics
    ),
    testB_refcocoplus_unc=dict(
        dataset=dict(plus, split="testB", pipeline=tested), evaluator=metrics
    ),
    val_refcocog_umd=dict(dataset=dict(umd, split="val", pipeline=tested), evaluator=metrics),
    test_refcocog_umd=dict(dataset=dict(umd, split="test", pipeline=tested), evaluator=metrics),
)
del common, plain, plus, umd, trained, tested, metrics
