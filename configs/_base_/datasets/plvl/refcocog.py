# RefCOCOg, division of UMD, as PLVL reads it: data/refcocog/{refs(umd).p, instances.json}
_base_ = ["./refcoco.py"]

umd = dict(ann_root="refcocog", split_by="umd")
tested = dict(
    umd,
    type="RefCOCODataset",
    data_root="data",
    image_root="images/train2014",
    pipeline={{_base_.val_dataloader.dataset.pipeline}},
)
train_dataloader = dict(dataset=umd)
val_dataloader = dict(dataset=umd)
test_splits = dict(
    _delete_=True,
    val=dict(dataset=dict(tested, split="val"), evaluator={{_base_.val_evaluator}}),
    test=dict(dataset=dict(tested, split="test"), evaluator={{_base_.val_evaluator}}),
)
del umd, tested
