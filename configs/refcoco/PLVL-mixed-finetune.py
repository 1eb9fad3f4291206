# PLVL, second of two stages on mixed data: boxes and masks of RefCOCO, RefCOCO+ and RefCOCOg.
#
# Reported: the tables of the paper were not available. Ours: not trained.
#
#   bash tools/dist_train.sh configs/refcoco/PLVL-mixed-finetune.py 8 \
#       --load-from work_dirs/PLVL-mixed-pretrain/epoch_20.pth
#   bash tools/dist_test.sh configs/refcoco/PLVL-mixed-finetune.py 1 --load-from CKPT
# This tests on RefCOCO. For the other datasets, test with PLVL-refcocoplus.py and PLVL-refcocog.py.
#
# Published recipe: 8 GPUs x 20 samples, 150 epochs.
# Hardware: 8 GPUs in the published recipe. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/plvl_vitdet_base.py",
    "../_base_/datasets/plvl/mixed_finetune.py",
    "../_base_/schedules/plvl_150e.py",
    "../_base_/runtime/from_vitdet_base.py",
]

model = dict(box_head=dict(loss_weight=0.05))
