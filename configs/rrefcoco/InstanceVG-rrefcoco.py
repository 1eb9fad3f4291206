# InstanceVG (BEiT-3 Base, 320 px, 10 queries) on R-RefCOCO, R-RefCOCO+ and R-RefCOCOg: refs with
# sentences that are true of the image, and some that are not.
#
# Reported, mIoU / mRR / rIoU:
#   R-RefCOCO 76.73 / 92.15 / 62.41   + 69.73 / 94.63 / 59.13   g 70.16 / 92.30 / 54.36
# (InstanceVG, arXiv 2509.13747, as quoted by later papers). Ours: not measured, since the published
# weights were not available; their layout is that of the gRefCOCO model.
#
#   bash tools/dist_train.sh configs/rrefcoco/InstanceVG-rrefcoco.py 2
#   bash tools/dist_test.sh configs/rrefcoco/InstanceVG-rrefcoco.py 1 --load-from CKPT
#
# Published recipe: 16 samples per GPU, 10 epochs, fp32, no augmentation.
# Hardware: number of GPUs not stated. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/instancevg_published.py",
    "../_base_/datasets/instancevg/rrefcoco.py",
    "../_base_/schedules/instancevg_10e.py",
    "../_base_/runtime/from_beit3_base.py",
]

# Like the published numbers, in the 320 x 320 input, where the preset "published" predicts.
_metrics = [dict(type="RobustRESMetric", accept="score", frame="input")]
val_evaluator = _metrics
test_splits = {
    "val_rrefcoco": dict(evaluator=_metrics),
    "val_rrefcoco+": dict(evaluator=_metrics),
    "val_rrefcocog": dict(evaluator=_metrics),
}
default_hooks = dict(checkpoint=dict(save_best="robust/mIoU", rule="greater"))
