# FP-RefCOCO, FP-RefCOCO+ and FP-RefCOCOg (Wu et al., SESAME, CVPR 2024) in their published files,
# with the pipeline of gRefCOCO for BEiT-3 systems:
#     data/fprefcoco{,+,g}/{refs(berkeley_exclude_unified).p, instances.json}
#     data/images/train2014/COCO_train2014_*.jpg
# Trained on all three. In each epoch, one sentence of a ref is drawn, true or false.
_base_ = ["grefcoco.py"]

_common = dict(type="FPRefCOCODataset", data_root="data", image_root="images/train2014")
_plain = dict(_common, ann_root="fprefcoco")
_plus = dict(_common, ann_root="fprefcoco+")
_g = dict(_common, ann_root="fprefcocog")
_trained = dict(
    split="train", group_by="ref", pipeline={{_base_.train_dataloader.dataset.pipeline}}
)
_tested = dict(split="val", pipeline={{_base_.val_dataloader.dataset.pipeline}})
_metrics = [dict(type="FalsePremiseMetric")]

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        datasets=[dict(_plain, **_trained), dict(_plus, **_trained), dict(_g, **_trained)],
    )
)
val_dataloader = dict(dataset=dict(_plain, **_tested, _delete_=True))
val_evaluator = _metrics
test_splits = {
    "_delete_": True,
    "val_fprefcoco": dict(dataset=dict(_plain, **_tested), evaluator=_metrics),
    "val_fprefcoco+": dict(dataset=dict(_plus, **_tested), evaluator=_metrics),
    "val_fprefcocog": dict(dataset=dict(_g, **_tested), evaluator=_metrics),
}
