# ReasonSeg (Lai et al., LISA, CVPR 2024) in its published files, with the pipeline of gRefCOCO for
# BEiT-3 systems:
#     data/reason_seg/ReasonSeg/{train,val,test}/{NAME.jpg,NAME.json}
# Trained on one question per image, drawn in each epoch. Tested on the first one, as published.
_base_ = ["grefcoco.py"]

_reasonseg = dict(type="ReasonSegDataset", data_root="data", ann_root="reason_seg/ReasonSeg")
_tested = dict(texts="first", pipeline={{_base_.val_dataloader.dataset.pipeline}})
_metrics = [dict(type="ReasonSegMetric")]

train_dataloader = dict(
    dataset=dict(
        _reasonseg,
        _delete_=True,
        split="train",
        group_by="ref",
        pipeline={{_base_.train_dataloader.dataset.pipeline}},
    )
)
val_dataloader = dict(dataset=dict(_reasonseg, **_tested, _delete_=True, split="val"))
val_evaluator = _metrics
test_splits = dict(
    _delete_=True,
    val=dict(dataset=dict(_reasonseg, **_tested, split="val"), evaluator=_metrics),
    test=dict(dataset=dict(_reasonseg, **_tested, split="test"), evaluator=_metrics),
    test_shortquery=dict(
        dataset=dict(_reasonseg, **_tested, split="test_shortquery"), evaluator=_metrics
    ),
    test_longquery=dict(
        dataset=dict(_reasonseg, **_tested, split="test_longquery"), evaluator=_metrics
    ),
)
