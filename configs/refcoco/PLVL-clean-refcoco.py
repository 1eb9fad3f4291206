# PLVL on RefCOCO for training anew: the published recipe with the preset "clean". Not trained at
# this size yet.
#
#   bash tools/dist_train.sh configs/refcoco/PLVL-clean-refcoco.py 4
_base_ = [
    "../_base_/models/plvl_clean.py",
    "../_base_/datasets/plvl/refcoco.py",
    "../_base_/schedules/plvl_150e.py",
    "../_base_/runtime/from_vitdet_base.py",
]
