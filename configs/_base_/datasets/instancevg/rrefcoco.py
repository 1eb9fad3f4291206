# R-RefCOCO, R-RefCOCO+ and R-RefCOCOg (Wu et al., RefSegformer, TIP 2024), as published, read as
# gRefCOCO is for BEiT-3 systems:
#     data/{rrefcoco,rrefcoco+}/{refs(unc).p, instances.json}
#     data/rrefcocog/{refs(umd).p, instances.json}   data/images/train2014/COCO_train2014_*.jpg
# Trained on all three; a ref draws one of its sentences, true or not, in each epoch.
_base_ = ["../grefcoco.py"]

common = dict(type="RRefCOCODataset", data_root="data", image_root="images/train2014")
plain = dict(common, ann_root="rrefcoco", split_by="unc")
plus = dict(common, ann_root="rrefcoco+", split_by="unc")
umd = dict(common, ann_root="rrefcocog", split_by="umd")
trained = dict(split="train", group_by="ref", pipeline={{_base_.train_dataloader.dataset.pipeline}})
tested = dict(split="val", pipeline={{_base_.val_dataloader.dataset.pipeline}})
metrics = [dict(type="RobustRESMetric", accept="score")]

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        datasets=[dict(plain, **trained), dict(plus, **trained), dict(umd, **trained)],
    )
)
val_dataloader = dict(dataset=dict(plain, **tested, _delete_=True))
val_evaluator = metrics
test_splits = {
    "_delete_": True,
    "val_rrefcoco": dict(dataset=dict(plain, **tested), evaluator=metrics),
    "val_rrefcoco+": dict(dataset=dict(plus, **tested), evaluator=metrics),
    "val_rrefcocog": dict(dataset=dict(umd, **tested), evaluator=metrics),
}
del common, plain, plus, umd, trained, tested, metrics
