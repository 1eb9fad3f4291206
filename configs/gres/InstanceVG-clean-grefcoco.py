# InstanceVG on gRefCOCO for training anew: the published recipe with the preset "clean", evaluated
# at the size of the original image, as gRefCOCO's own evaluators do. Not trained at this size yet.
#
#   bash tools/dist_train.sh configs/gres/InstanceVG-clean-grefcoco.py 2
_base_ = [
    "../_base_/models/instancevg_clean.py",
    "../_base_/datasets/grefcoco.py",
    "../_base_/schedules/instancevg_10e.py",
    "../_base_/runtime/from_beit3_base.py",
]

default_hooks = dict(checkpoint=dict(save_best="gres/cIoU", rule="greater"))
