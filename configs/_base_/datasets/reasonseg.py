# ReasonSeg (Lai et al., LISA, CVPR 2024), as published, read as gRefCOCO is for BEiT-3 systems:
#     data/reason_seg/ReasonSeg/{train,val,test}/{NAME.jpg,NAME.json}
# Trained on one of an image's questions, drawn anew each epoch; tested on the first, as published.
_base_ = ["grefcoco.py"]

reasonseg = dict(type="ReasonSegDataset", data_root="data", ann_root="reason_seg/ReasonSeg")
tested = dict(texts="first", pipeline={{_base_.val_dataloader.dataset.pipeline}})
metrics = [dict(type="ReasonSegMetric")]

train_dataloader = dict(
    dataset=dict(
        reasonseg,
        _delete_=True,
        split="train",
        group_by="ref",
        pipeline={{_base_.train_dataloader.dataset.pipeline}},
    )
)
val_dataloader = dict(dataset=dict(reasonseg, **tested, _delete_=True, split="val"))
val_evaluator = metrics
test_splits = dict(
    _delete_=True,
    val=dict(dataset=dict(reasonseg, **tested, split="val"), evaluator=metrics),
    test=dict(dataset=dict(reasonseg, **tested, split="test"), evaluator=metrics),
    test_shortquery=dict(
        dataset=dict(reasonseg, **tested, split="test_shortquery"), evaluator=metrics
    ),
    test_longquery=dict(
        dataset=dict(reasonseg, **tested, split="test_longquery"), evaluator=metrics
    ),
)
del reasonseg, tested, metrics
