# RefCOCO+, UNC partition, for PLVL: data/refcoco+/{refs(unc).p, instances.json}
_base_ = ["./refcoco.py"]

_refcocoplus = dict(dataset=dict(ann_root="refcoco+"))
train_dataloader = _refcocoplus
val_dataloader = _refcocoplus
test_splits = dict(val=_refcocoplus, testA=_refcocoplus, testB=_refcocoplus)
