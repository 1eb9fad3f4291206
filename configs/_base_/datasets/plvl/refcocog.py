# RefCOCOg, division of UMD, as PLVL reads it: data/refcocog/{refs(umd).p, instances.json}
_base_ = ["./pipeline_448.py"]

refcocog = dict(
    type="RefCOCODataset",
    data_root="data",
    ann_root="refcocog",
    split_by="umd",
    image_root="images/train2014",
)
metrics = [dict(type="RECMetric"), dict(type="RESMetric")]
tested = dict(refcocog, pipeline={{_base_.val_dataloader.dataset.pipeline}})

test_splits = dict(
    val=dict(dataset=dict(tested, split="val"), evaluator=metrics),
    test=dict(dataset=dict(tested, split="test"), evaluator=metrics),
)
val_evaluator = metrics
val_dataloader = dict(dataset=dict(refcocog, split="val"))
train_dataloader = dict(dataset=dict(refcocog, split="train"))
del refcocog, metrics, tested
