# InstanceVG-refzom.py on the annotations that InstanceVG publishes:
#     data/seqtr_type/annotations/ref-zom/instance.json
#     data/seqtr_type/images/mscoco/trainval2014/COCO_*.jpg   train2014 and val2014 in one folder
#
# Reported and ours: see InstanceVG-refzom.py.
#
#   bash tools/dist_train.sh configs/refzom/InstanceVG-refzom-json.py 2
#   bash tools/dist_test.sh configs/refzom/InstanceVG-refzom-json.py 1 --load-from CKPT
#
# Hardware: number of GPUs not stated. Time: not measured. Memory: not measured.
_base_ = ["./InstanceVG-refzom.py", "../_base_/datasets/instancevg/published_json.py"]

_files = dict(ann_root="annotations/ref-zom", image_root="images/mscoco/trainval2014")
_train = dict(_base_._json_train, **_files, pipeline={{_base_.train_dataloader.dataset.pipeline}})
_test = dict(_base_._json_test, **_files, pipeline={{_base_.val_dataloader.dataset.pipeline}})

train_dataloader = dict(dataset=_train)
val_dataloader = dict(dataset=dict(_test, split="test"))
test_splits = dict(
    test=dict(dataset=dict(_test, split="test")),
)
