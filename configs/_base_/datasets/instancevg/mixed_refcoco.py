# RefCOCO, RefCOCO+ (UNC) and RefCOCOg (UMD) together, in the files of their authors:
#     data/{refcoco,refcoco+}/{refs(unc).p, instances.json}
#     data/refcocog/{refs(umd).p, instances.json}   data/images/train2014/COCO_train2014_*.jpg
# The published mixture is a plain concatenation: training images of one dataset can be test images
# of another. `exclude_images_of` of a dataset excludes such images; the results are then not
# comparable with the published mixture.
_base_ = ["../refcoco.py"]

_common = dict(type="RefCOCODataset", data_root="data", image_root="images/train2014")
_plain = dict(_common, ann_root="refcoco", split_by="unc")
_plus = dict(_common, ann_root="refcoco+", split_by="unc")
_umd = dict(_common, ann_root="refcocog", split_by="umd")
_trained = dict(
    split="train", group_by="ref", pipeline={{_base_.train_dataloader.dataset.pipeline}}
)
_tested = {{_base_.val_dataloader.dataset.pipeline}}
_metrics = [dict(type="RECMetric"), dict(type="RESMetric")]

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        datasets=[dict(_plain, **_trained), dict(_plus, **_trained), dict(_umd, **_trained)],
    )
)
val_dataloader = dict(dataset=dict(_plain, split="val", pipeline=_tested))
val_evaluator = _metrics
test_splits = dict(
    _delete_=True,
    val_refcoco_unc=dict(dataset=dict(_plain, split="val", pipeline=_tested), evaluator=_metrics),
    testA_refcoco_unc=dict(
        dataset=dict(_plain, split="testA", pipeline=_tested), evaluator=_metrics
    ),
    testB_refcoco_unc=dict(
        dataset=dict(_plain, split="testB", pipeline=_tested), evaluator=_metrics
    ),
    val_refcocoplus_unc=dict(
        dataset=dict(_plus, split="val", pipeline=_tested), evaluator=_metrics
    ),
    testA_refcocoplus_unc=dict(
        dataset=dict(_plus, split="testA", pipeline=_tested), evaluator=_metrics
    ),
    testB_refcocoplus_unc=dict(
        dataset=dict(_plus, split="testB", pipeline=_tested), evaluator=_metrics
    ),
    val_refcocog_umd=dict(dataset=dict(_umd, split="val", pipeline=_tested), evaluator=_metrics),
    test_refcocog_umd=dict(dataset=dict(_umd, split="test", pipeline=_tested), evaluator=_metrics),
)
