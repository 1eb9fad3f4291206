# PLVL, first of two stages on mixed data: boxes of Visual Genome, Flickr30k Entities and the
# RefCOCO family. PLVL-mixed-finetune.py starts from its last checkpoint.
#
# Reported: the tables of the paper were not available. Ours: not trained.
#
#   bash tools/dist_train.sh configs/refcoco/PLVL-mixed-pretrain.py 8
#
# Published recipe: 8 GPUs x 20 samples, 20 epochs.
# Hardware: 8 GPUs in the published recipe. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/plvl_vitdet_base.py",
    "../_base_/datasets/plvl/mixed_pretrain.py",
    "../_base_/schedules/plvl_20e.py",
    "../_base_/runtime/from_vitdet_base.py",
]

model = dict(tasks=("boxes",), box_head=dict(loss_weight=0.5))
find_unused_parameters = True  # the mask head is not trained
default_hooks = dict(checkpoint=dict(save_best="rec/Acc@0.5", rule="greater"))
