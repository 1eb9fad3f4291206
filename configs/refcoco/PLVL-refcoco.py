# PLVL (ViTDet-B, BERT-base, 448 px) on RefCOCO: one box and one mask per expression.
#
# Reported (arXiv 2504.16145): the tables of the paper were not available. Ours: not measured, since
# neither the published weights nor COCO were available. With the same deterministic weights, all
# outputs and losses match the published code (tests/parity).
#
#   bash tools/dist_train.sh configs/refcoco/PLVL-refcoco.py 4
#   bash tools/dist_test.sh configs/refcoco/PLVL-refcoco.py 1 --load-from CKPT
#   boxes only (or masks only): --cfg-options model.tasks="('boxes',)" find_unused_parameters=True
#   without language in the backbone: --cfg-options model.backbone.text_blocks="()"
#
# Published recipe: 4 GPUs x 20 samples, 150 epochs, float16. 217 M parameters, 90.7 GMAC per image.
# Hardware: 4 GPUs in the published recipe. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/plvl_vitdet_base.py",
    "../_base_/datasets/plvl/refcoco.py",
    "../_base_/schedules/plvl_150e.py",
    "../_base_/runtime/from_vitdet_base.py",
]
