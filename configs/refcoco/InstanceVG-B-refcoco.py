# InstanceVG (BEiT-3 Base, 320 px, one query) on RefCOCO, RefCOCO+ and RefCOCOg together: box and
# mask of the one object.
#
# Reported, RES mIoU:  RefCOCO val 81.36, testA 83.05, testB 79.28   RefCOCO+ 76.64, 79.51, 71.56
#   RefCOCOg val 75.89, test 76.59   (as later papers quote InstanceVG, arXiv 2509.13747)
# Ours: not measured, the published weights were not at hand; on repeatable numbers in their place
# all outputs agree with the published code (tests/parity).
#
#   bash tools/dist_train.sh configs/refcoco/InstanceVG-B-refcoco.py 2
#   bash tools/dist_test.sh configs/refcoco/InstanceVG-B-refcoco.py 1 --load-from CKPT
#
# Published recipe: 16 samples a GPU, 20 epochs, fp32, no augmentation; the number of GPUs is not
# stated. 234 M parameters. Hours and memory: not measured.
_base_ = [
    "../_base_/models/instancevg_published.py",
    "../_base_/datasets/instancevg/mixed_refcoco.py",
    "../_base_/schedules/instancevg_20e.py",
    "../_base_/runtime/from_beit3_base.py",
]

# With one query and one target, no query is left unmatched.
model = dict(query_selector=dict(num_queries=1), query_mask_head=dict(background_weight=0.0))

# As the published numbers: in the network's 320 x 320, where the preset "published" predicts.
_metrics = [dict(type="RECMetric", frame="input"), dict(type="RESMetric", frame="input")]
val_evaluator = _metrics
test_splits = dict(
    val_refcoco_unc=dict(evaluator=_metrics),
    testA_refcoco_unc=dict(evaluator=_metrics),
    testB_refcoco_unc=dict(evaluator=_metrics),
    val_refcocoplus_unc=dict(evaluator=_metrics),
    testA_refcocoplus_unc=dict(evaluator=_metrics),
    testB_refcocoplus_unc=dict(evaluator=_metrics),
    val_refcocog_umd=dict(evaluator=_metrics),
    test_refcocog_umd=dict(evaluator=_metrics),
)
default_hooks = dict(checkpoint=dict(save_best="res/mIoU", rule="greater"))
