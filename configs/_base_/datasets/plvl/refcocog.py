# RefCOCOg, UMD partition, for PLVL: data/refcocog/{refs(umd).p, instances.json}
_base_ = ["./refcoco.py"]

_umd = dict(ann_root="refcocog", split_by="umd")
_tested = dict(
    _umd,
    type="RefCOCODataset",
    data_root="data",
    image_root="images/train2014",
    pipeline={{_base_.val_dataloader.dataset.pipeline}},
)
train_dataloader = dict(dataset=_umd)
val_dataloader = dict(dataset=_umd)
test_splits = dict(
    _delete_=True,
    val=dict(dataset=dict(_tested, split="val"), evaluator={{_base_.val_evaluator}}),
    test=dict(dataset=dict(_tested, split="test"), evaluator={{_base_.val_evaluator}}),
)
