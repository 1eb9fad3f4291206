# gRefCOCO with the pipeline of MLLMSeg (see mllmseg_refer.py). If none of the drawn expressions has
# a target, the published code draws again, so that such images are never used. Here they are used.
_base_ = ["mllmseg_refer.py"]

_grefs = dict(
    type="GRefCOCODataset",
    data_root="data/refer_seg",
    ann_root="grefcoco",
    image_root="images/mscoco/images/train2014",
    split_by="unc",
)
_train = {{_base_._train_pipeline}}
_test = {{_base_._test_pipeline}}
# Published numbers credit masks of rejected targets ("gsva"); "rela" is the official evaluator.
_metrics = [
    dict(type="GRESMetric", protocol="gsva", prefix="gres_gsva"),
    dict(type="GRESMetric"),
]
train_dataloader = dict(
    sampler=dict(num_samples=640000),
    dataset=dict(_delete_=True, split="train", group_by="image", pipeline=_train, **_grefs),
)
val_dataloader = dict(dataset=dict(_delete_=True, split="val", pipeline=_test, **_grefs))
val_evaluator = _metrics
test_splits = dict(
    _delete_=True,
    val=dict(dataset=dict(split="val", pipeline=_test, **_grefs), evaluator=_metrics),
    testA=dict(dataset=dict(split="testA", pipeline=_test, **_grefs), evaluator=_metrics),
    testB=dict(dataset=dict(split="testB", pipeline=_test, **_grefs), evaluator=_metrics),
)
