# PLVL on RefCOCOg (UMD). Recipe, commands and what is known of the numbers: see PLVL-refcoco.py.
#
#   bash tools/dist_train.sh configs/refcoco/PLVL-refcocog.py 4
_base_ = [
    "../_base_/models/plvl_vitdet_base.py",
    "../_base_/datasets/plvl/refcocog.py",
    "../_base_/schedules/plvl_150e.py",
    "../_base_/runtime/from_vitdet_base.py",
]
