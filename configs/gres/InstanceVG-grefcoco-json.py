# InstanceVG-grefcoco.py on the annotations that InstanceVG publishes:
#     data/seqtr_type/annotations/grefs/instances.json (or instance.json)
#     data/seqtr_type/images/mscoco/train2014/COCO_train2014_*.jpg
#
# Reported and ours: see InstanceVG-grefcoco.py.
#
#   bash tools/dist_train.sh configs/gres/InstanceVG-grefcoco-json.py 2
#   bash tools/dist_test.sh configs/gres/InstanceVG-grefcoco-json.py 1 --load-from CKPT
#
# Hardware: number of GPUs not stated. Time: not measured. Memory: not measured.
_base_ = ["./InstanceVG-grefcoco.py", "../_base_/datasets/instancevg/published_json.py"]

_files = dict(ann_root="annotations/grefs")
_train = dict(_base_._json_train, **_files, pipeline={{_base_.train_dataloader.dataset.pipeline}})
_test = dict(_base_._json_test, **_files, pipeline={{_base_.val_dataloader.dataset.pipeline}})

train_dataloader = dict(dataset=_train)
val_dataloader = dict(dataset=dict(_test, split="val"))
test_splits = dict(
    val=dict(dataset=dict(_test, split="val")),
    testA=dict(dataset=dict(_test, split="testA")),
    testB=dict(dataset=dict(_test, split="testB")),
)
