# RefCLEF (ReferItGame; Kazemzadeh et al., EMNLP 2014), Berkeley partition, in its published files:
#     data/refclef/{refs(berkeley).p, instances.json}   data/images/saiapr_tc-12/*/images/*.jpg
# Pipeline of RefCOCO for BEiT-3 systems. UNC partition: split_by="unc", tests testA, testB, testC.
_base_ = ["refcoco.py"]

_refclef = dict(
    type="RefCOCODataset",
    data_root="data",
    ann_root="refclef",
    image_root="images/saiapr_tc-12",
    split_by="berkeley",
)
_tested = {{_base_.val_dataloader.dataset.pipeline}}
_metrics = [dict(type="RECMetric"), dict(type="RESMetric")]

train_dataloader = dict(
    dataset=dict(
        _refclef,
        _delete_=True,
        split="train",
        group_by="ref",
        pipeline={{_base_.train_dataloader.dataset.pipeline}},
    )
)
val_dataloader = dict(dataset=dict(_refclef, _delete_=True, split="val", pipeline=_tested))
val_evaluator = _metrics
test_splits = dict(
    _delete_=True,
    val=dict(dataset=dict(_refclef, split="val", pipeline=_tested), evaluator=_metrics),
    test=dict(dataset=dict(_refclef, split="test", pipeline=_tested), evaluator=_metrics),
)
