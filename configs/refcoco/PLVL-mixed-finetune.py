# PLVL, second of two stages on mixed data: boxes and masks of RefCOCO, RefCOCO+ and RefCOCOg.
#
#   bash tools/dist_train.sh configs/refcoco/PLVL-mixed-finetune.py 8 \
#       --load-from work_dirs/PLVL-mixed-pretrain/epoch_20.pth
#
# Tests on RefCOCO; on the others with PLVL-refcocoplus.py and PLVL-refcocog.py.
# Published recipe: 8 GPUs x 20 samples, 150 epochs.
_base_ = [
    "../_base_/models/plvl_vitdet_base.py",
    "../_base_/datasets/plvl/mixed_finetune.py",
    "../_base_/schedules/plvl_150e.py",
    "../_base_/runtime/from_vitdet_base.py",
]

model = dict(box_head=dict(loss_weight=0.05))
