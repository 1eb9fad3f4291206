# RefCLEF (ReferItGame; Kazemzadeh et al., EMNLP 2014), division of Berkeley, as published:
#     data/refclef/{refs(berkeley).p, instances.json}   data/images/saiapr_tc-12/*/images/*.jpg
# Read as RefCOCO is for BEiT-3 systems. UNC's division: split_by="unc", tests testA, testB, testC.
_base_ = ["refcoco.py"]

refclef = dict(
    type="RefCOCODataset",
    data_root="data",
    ann_root="refclef",
    image_root="images/saiapr_tc-12",
    split_by="berkeley",
)
tested = {{_base_.val_dataloader.dataset.pipeline}}
metrics = [dict(type="RECMetric"), dict(type="RESMetric")]

train_dataloader = dict(
    dataset=dict(
        refclef,
        _delete_=True,
        split="train",
        group_by="ref",
        pipeline={{_base_.train_dataloader.dataset.pipeline}},
    )
)
val_dataloader = dict(dataset=dict(refclef, _delete_=True, split="val", pipeline=tested))
val_evaluator = metrics
test_splits = dict(
    _delete_=True,
    val=dict(dataset=dict(refclef, split="val", pipeline=tested), evaluator=metrics),
    test=dict(dataset=dict(refclef, split="test", pipeline=tested), evaluator=metrics),
)
del refclef, tested, metrics
