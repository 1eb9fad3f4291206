# InstanceVG on gRefCOCO for training from scratch: the published recipe with the preset "clean",
# evaluated at the size of the original image, like gRefCOCO's own evaluator.
#
# Reported: nothing, the preset is ours. Ours: not trained at this size yet.
#
#   bash tools/dist_train.sh configs/gres/InstanceVG-clean-grefcoco.py 2
#   bash tools/dist_test.sh configs/gres/InstanceVG-clean-grefcoco.py 1 --load-from CKPT
#
# Recipe: as InstanceVG-grefcoco.py.
# Hardware: not measured. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/instancevg_clean.py",
    "../_base_/datasets/grefcoco.py",
    "../_base_/schedules/instancevg_10e.py",
    "../_base_/runtime/from_beit3_base.py",
]

default_hooks = dict(checkpoint=dict(save_best="gres/cIoU", rule="greater"))
