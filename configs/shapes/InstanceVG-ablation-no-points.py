# Ablation of prior points (docs/instancevg.md): they neither place queries nor match them.
#
# Ours, tiny size, test split, percent, after 2 epochs:  GRES gIoU 57.2, REC Acc@0.5 70.6, RES mIoU
# 61.6; with points 63.1, 76.8, 67.0.
#
#   SHAPES_ROOT=data/shapes SHAPES_SIZE=tiny \
#       bash tools/dist_train.sh configs/shapes/InstanceVG-ablation-no-points.py 0
# Without SHAPES_SIZE it is the ablation of InstanceVG-small-shapes.py, which was not run.
#
# Hardware: one core of an AMD EPYC. Time: 15 minutes for 2 epochs. Memory: not measured.
_base_ = ["./InstanceVG-{{$SHAPES_SIZE:small}}-shapes.py"]

model = dict(decoder=dict(reference="content"), box_head=dict(matcher=dict(point_cost=0.0)))
