# FP-RefCOCO, FP-RefCOCO+ and FP-RefCOCOg (Wu et al., SESAME, CVPR 2024), as published, read as
# gRefCOCO is for BEiT-3 systems:
#     data/fprefcoco{,+,g}/{refs(berkeley_exclude_unified).p, instances.json}
#     data/images/train2014/COCO_train2014_*.jpg
# Trained on all three; a ref draws one of its sentences, true or not, in each epoch.
_base_ = ["grefcoco.py"]

common = dict(type="FPRefCOCODataset", data_root="data", image_root="images/train2014")
plain = dict(common, ann_root="fprefcoco")
plus = dict(common, ann_root="fprefcoco+")
g = dict(common, ann_root="fprefcocog")
trained = dict(split="train", group_by="ref", pipeline={{_base_.train_dataloader.dataset.pipeline}})
tested = dict(split="val", pipeline={{_base_.val_dataloader.dataset.pipeline}})
metrics = [dict(type="FalsePremiseMetric")]

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        datasets=[dict(plain, **trained), dict(plus, **trained), dict(g, **trained)],
    )
)
val_dataloader = dict(dataset=dict(plain, **tested, _delete_=True))
val_evaluator = metrics
test_splits = {
    "_delete_": True,
    "val_fprefcoco": dict(dataset=dict(plain, **tested), evaluator=metrics),
    "val_fprefcoco+": dict(dataset=dict(plus, **tested), evaluator=metrics),
    "val_fprefcocog": dict(dataset=dict(g, **tested), evaluator=metrics),
}
del common, plain, plus, g, trained, tested, metrics
