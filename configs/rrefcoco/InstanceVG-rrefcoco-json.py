# InstanceVG-rrefcoco.py on the annotations that InstanceVG publishes:
#     data/seqtr_type/annotations/rrefcoco/{instance.json, instance_index.json}
#     data/seqtr_type/images/mscoco/train2014/COCO_train2014_*.jpg
#
# Reported and ours: see InstanceVG-rrefcoco.py.
#
#   bash tools/dist_train.sh configs/rrefcoco/InstanceVG-rrefcoco-json.py 2
#   bash tools/dist_test.sh configs/rrefcoco/InstanceVG-rrefcoco-json.py 1 --load-from CKPT
#
# Hardware: number of GPUs not stated. Time: not measured. Memory: not measured.
_base_ = ["./InstanceVG-rrefcoco.py", "../_base_/datasets/instancevg/published_json.py"]

_files = dict(ann_root="annotations/rrefcoco")
_train = dict(
    _base_._json_train, **_files, pipeline=_base_.train_dataloader.dataset.datasets[0].pipeline
)
_test = dict(_base_._json_test, **_files, pipeline={{_base_.val_dataloader.dataset.pipeline}})

train_dataloader = dict(dataset=_train)
val_dataloader = dict(dataset=dict(_test, split="val_rrefcoco"))
test_splits = {
    "val_rrefcoco": dict(dataset=dict(_test, split="val_rrefcoco")),
    "val_rrefcoco+": dict(dataset=dict(_test, split="val_rrefcoco+")),
    "val_rrefcocog": dict(dataset=dict(_test, split="val_rrefcocog")),
}
