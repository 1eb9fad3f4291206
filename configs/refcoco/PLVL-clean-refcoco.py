# PLVL on RefCOCO for training from scratch: the published recipe with the preset "clean".
#
# Reported: nothing, the preset is ours. Ours: not trained at this size yet.
#
#   bash tools/dist_train.sh configs/refcoco/PLVL-clean-refcoco.py 4
#   bash tools/dist_test.sh configs/refcoco/PLVL-clean-refcoco.py 1 --load-from CKPT
#
# Recipe: as PLVL-refcoco.py.
# Hardware: 4 GPUs in the published recipe. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/plvl_clean.py",
    "../_base_/datasets/plvl/refcoco.py",
    "../_base_/schedules/plvl_150e.py",
    "../_base_/runtime/from_vitdet_base.py",
]
