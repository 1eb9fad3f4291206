# InstanceVG-B-refcoco.py on the annotations that InstanceVG publishes:
#     data/seqtr_type/annotations/mixed-seg/instances_nogoogle.json
#     data/seqtr_type/images/mscoco/train2014/COCO_train2014_*.jpg
# InstanceVG's page calls the file instances_nogoogle_withid.json. Rename it, or set `ann_file` of
# each dataset, as in --cfg-options train_dataloader.dataset.ann_file=...
#
# Reported and ours: see InstanceVG-B-refcoco.py.
#
#   bash tools/dist_train.sh configs/refcoco/InstanceVG-B-refcoco-json.py 2
#   bash tools/dist_test.sh configs/refcoco/InstanceVG-B-refcoco-json.py 1 --load-from CKPT
#
# Hardware: number of GPUs not stated. Time: not measured. Memory: not measured.
_base_ = ["./InstanceVG-B-refcoco.py", "../_base_/datasets/instancevg/published_json.py"]

_files = dict(ann_root="annotations/mixed-seg")
_train = dict(
    _base_._json_train, **_files, pipeline=_base_.train_dataloader.dataset.datasets[0].pipeline
)
_test = dict(_base_._json_test, **_files, pipeline={{_base_.val_dataloader.dataset.pipeline}})

train_dataloader = dict(dataset=_train)
val_dataloader = dict(dataset=dict(_test, split="val_refcoco_unc"))
test_splits = dict(
    val_refcoco_unc=dict(dataset=dict(_test, split="val_refcoco_unc")),
    testA_refcoco_unc=dict(dataset=dict(_test, split="testA_refcoco_unc")),
    testB_refcoco_unc=dict(dataset=dict(_test, split="testB_refcoco_unc")),
    val_refcocoplus_unc=dict(dataset=dict(_test, split="val_refcocoplus_unc")),
    testA_refcocoplus_unc=dict(dataset=dict(_test, split="testA_refcocoplus_unc")),
    testB_refcocoplus_unc=dict(dataset=dict(_test, split="testB_refcocoplus_unc")),
    val_refcocog_umd=dict(dataset=dict(_test, split="val_refcocog_umd")),
    test_refcocog_umd=dict(dataset=dict(_test, split="test_refcocog_umd")),
)
