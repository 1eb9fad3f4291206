# RefCOCO+, division of UNC, as PLVL reads it: data/refcoco+/{refs(unc).p, instances.json}
_base_ = ["./refcoco.py"]

refcocoplus = dict(dataset=dict(ann_root="refcoco+"))
train_dataloader = refcocoplus
val_dataloader = refcocoplus
test_splits = dict(val=refcocoplus, testA=refcocoplus, testB=refcocoplus)
del refcocoplus
