# RefCOCO, division of UNC, as PLVL reads it; the files are those of ../refcoco.py.
_base_ = ["./pipeline_448.py"]

refcoco = dict(
    type="RefCOCODataset",
    data_root="data",
    ann_root="refcoco",
    image_root="images/train2014",
    split_by="unc",
)
tested = dict(refcoco, pipeline={{_base_.val_dataloader.dataset.pipeline}})
metrics = [dict(type="RECMetric"), dict(type="RESMetric")]

train_dataloader = dict(dataset=dict(refcoco, split="train"))
val_dataloader = dict(dataset=dict(refcoco, split="val"))
val_evaluator = metrics
test_splits = dict(
    val=dict(dataset=dict(tested, split="val"), evaluator=metrics),
    testA=dict(dataset=dict(tested, split="testA"), evaluator=metrics),
    testB=dict(dataset=dict(tested, split="testB"), evaluator=metrics),
)
del refcoco, tested, metrics
