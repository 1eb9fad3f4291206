# PLVL on RefCOCOg (UMD).
#
# Reported and ours: see PLVL-refcoco.py.
#
#   bash tools/dist_train.sh configs/refcoco/PLVL-refcocog.py 4
#   bash tools/dist_test.sh configs/refcoco/PLVL-refcocog.py 1 --load-from CKPT
#
# Recipe: as PLVL-refcoco.py.
# Hardware: 4 GPUs in the published recipe. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/plvl_vitdet_base.py",
    "../_base_/datasets/plvl/refcocog.py",
    "../_base_/schedules/plvl_150e.py",
    "../_base_/runtime/from_vitdet_base.py",
]
