# Ablation of instance masks (docs/instancevg.md): queries find boxes, and one mask covers all
# targets.
#
# Ours, tiny size, test split, percent, after 2 / 4 epochs:  GRES gIoU 68.0 / 77.1, REC Acc@0.5
# 78.9 / 87.7, RES mIoU 68.2 / 74.8; with instance masks 63.1 / 80.9, 76.8 / 90.5, 67.0 / 79.5.
#
#   SHAPES_ROOT=data/shapes SHAPES_SIZE=tiny \
#       bash tools/dist_train.sh configs/shapes/InstanceVG-ablation-no-instances.py 0
# Without SHAPES_SIZE it is the ablation of InstanceVG-small-shapes.py, which was not run.
#
# Hardware: one core of an AMD EPYC. Time: 15 minutes for 2 epochs. Memory: not measured.
_base_ = ["./InstanceVG-{{$SHAPES_SIZE:small}}-shapes.py"]

model = dict(
    query_mask_head=dict(loss=dict(dice_weight=0.0, bce_weight=0.0)),
    postprocessor=dict(merged_mask="semantic"),
)
