# InstanceVG-rrefcoco.py on the annotations that InstanceVG publishes:
#     data/seqtr_type/annotations/rrefcoco/{instance.json, instance_index.json}
#     data/seqtr_type/images/mscoco/train2014/COCO_train2014_*.jpg
_base_ = ["./InstanceVG-rrefcoco.py"]

_rrefcoco = dict(
    _delete_=True,
    type="InstanceVGJsonDataset",
    data_root="data/seqtr_type",
    ann_root="annotations/rrefcoco",
    image_root="images/mscoco/train2014",
)
_tested = dict(_rrefcoco, pipeline={{_base_.val_dataloader.dataset.pipeline}})
train_dataloader = dict(
    dataset=dict(
        _rrefcoco,
        split="train",
        group_by="ref",
        pipeline=_base_.train_dataloader.dataset.datasets[0].pipeline,
    )
)
val_dataloader = dict(dataset=dict(_tested, split="val_rrefcoco"))
test_splits = {
    "val_rrefcoco": dict(dataset=dict(_tested, split="val_rrefcoco")),
    "val_rrefcoco+": dict(dataset=dict(_tested, split="val_rrefcoco+")),
    "val_rrefcocog": dict(dataset=dict(_tested, split="val_rrefcocog")),
}
