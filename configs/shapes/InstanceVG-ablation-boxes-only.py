# Ablation of joint training (docs/instancevg.md): boxes only. No mask head is trained, so only GREC
# and REC are valid.
#
# Ours, tiny size, test split, percent, after 2 / 4 epochs:  GREC Pr@(F1=1) 51.7 / 59.5,
# N-acc 64.0 / 73.9, REC Acc@0.5 77.0 / 81.8; with masks 53.6 / 78.1, 58.6 / 90.4, 76.8 / 90.5.
#
#   SHAPES_ROOT=data/shapes SHAPES_SIZE=tiny \
#       bash tools/dist_train.sh configs/shapes/InstanceVG-ablation-boxes-only.py 0
# Without SHAPES_SIZE it is the ablation of InstanceVG-small-shapes.py, which was not run.
#
# Hardware: one core of an AMD EPYC. Time: 15 minutes for 2 epochs. Memory: not measured.
_base_ = ["./InstanceVG-{{$SHAPES_SIZE:small}}-shapes.py"]

_untrained = dict(loss=dict(dice_weight=0.0, bce_weight=0.0))
model = dict(
    query_mask_head=_untrained,
    semantic_mask_head=_untrained,
    postprocessor=dict(merged_mask="instance"),
)
