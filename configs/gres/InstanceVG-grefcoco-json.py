# InstanceVG-grefcoco.py on the annotations that InstanceVG publishes:
#     data/seqtr_type/annotations/grefs/instances.json (or instance.json)
#     data/seqtr_type/images/mscoco/train2014/COCO_train2014_*.jpg
_base_ = ["./InstanceVG-grefcoco.py"]

_grefs = dict(
    _delete_=True,
    type="InstanceVGJsonDataset",
    data_root="data/seqtr_type",
    ann_root="annotations/grefs",
    image_root="images/mscoco/train2014",
)
_tested = dict(_grefs, pipeline={{_base_.val_dataloader.dataset.pipeline}})
train_dataloader = dict(
    dataset=dict(
        _grefs,
        split="train",
        group_by="ref",
        pipeline={{_base_.train_dataloader.dataset.pipeline}},
    )
)
val_dataloader = dict(dataset=dict(_tested, split="val"))
test_splits = dict(
    val=dict(dataset=dict(_tested, split="val")),
    testA=dict(dataset=dict(_tested, split="testA")),
    testB=dict(dataset=dict(_tested, split="testB")),
)
