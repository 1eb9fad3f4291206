# R-RefCOCO, R-RefCOCO+ and R-RefCOCOg (Wu et al., RefSegformer, TIP 2024) in their published files,
# with the pipeline of gRefCOCO for BEiT-3 systems:
#     data/{rrefcoco,rrefcoco+}/{refs(unc).p, instances.json}
#     data/rrefcocog/{refs(umd).p, instances.json}   data/images/train2014/COCO_train2014_*.jpg
# Trained on all three. In each epoch, one sentence of a ref is drawn, true or false.
_base_ = ["../grefcoco.py"]

_common = dict(type="RRefCOCODataset", data_root="data", image_root="images/train2014")
_plain = dict(_common, ann_root="rrefcoco", split_by="unc")
_plus = dict(_common, ann_root="rrefcoco+", split_by="unc")
_umd = dict(_common, ann_root="rrefcocog", split_by="umd")
_trained = dict(
    split="train", group_by="ref", pipeline={{_base_.train_dataloader.dataset.pipeline}}
)
_tested = dict(split="val", pipeline={{_base_.val_dataloader.dataset.pipeline}})
_metrics = [dict(type="RobustRESMetric", accept="score")]

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        datasets=[dict(_plain, **_trained), dict(_plus, **_trained), dict(_umd, **_trained)],
    )
)
val_dataloader = dict(dataset=dict(_plain, **_tested, _delete_=True))
val_evaluator = _metrics
test_splits = {
    "_delete_": True,
    "val_rrefcoco": dict(dataset=dict(_plain, **_tested), evaluator=_metrics),
    "val_rrefcoco+": dict(dataset=dict(_plus, **_tested), evaluator=_metrics),
    "val_rrefcocog": dict(dataset=dict(_umd, **_tested), evaluator=_metrics),
}
