# InstanceVG (BEiT-3 Base, 320 px, 10 queries) on Ref-ZOM: zero, one or many targets.
#
# Reported, test:  mIoU 71.52   oIoU 71.12   Acc 97.42
# (InstanceVG, arXiv 2509.13747, as quoted by later papers). Ours: not measured, since the published
# weights were not available; their layout is that of the gRefCOCO model.
#
#   bash tools/dist_train.sh configs/refzom/InstanceVG-refzom.py 2
#   bash tools/dist_test.sh configs/refzom/InstanceVG-refzom.py 1 --load-from CKPT
#
# Published recipe: 16 samples per GPU, 10 epochs, fp32, no augmentation.
# Hardware: number of GPUs not stated. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/instancevg_published.py",
    "../_base_/datasets/instancevg/refzom.py",
    "../_base_/schedules/instancevg_10e.py",
    "../_base_/runtime/from_beit3_base.py",
]

# Like the published numbers, in the 320 x 320 input, where the preset "published" predicts.
_metrics = [
    dict(type="GRECMetric", frame="input"),
    dict(type="RefZOMMetric", accept="score", frame="input"),
]
val_evaluator = _metrics
test_splits = dict(test=dict(evaluator=_metrics))
default_hooks = dict(checkpoint=dict(save_best="refzom/mIoU", rule="greater"))
