# Ablation of joint training (docs/instancevg.md): masks only. Boxes are not trained, and not used
# for matching or suppression, so only GRES and RES are valid.
#
# Ours, tiny size, test split, percent, after 2 epochs:  GRES gIoU 62.7, N-acc 43.5, RES mIoU 63.4;
# with boxes 63.1, 58.6, 67.0.
#
#   SHAPES_ROOT=data/shapes SHAPES_SIZE=tiny \
#       bash tools/dist_train.sh configs/shapes/InstanceVG-ablation-masks-only.py 0
# Without SHAPES_SIZE it is the ablation of InstanceVG-small-shapes.py, which was not run.
#
# Hardware: one core of an AMD EPYC. Time: 15 minutes for 2 epochs. Memory: not measured.
_base_ = ["./InstanceVG-{{$SHAPES_SIZE:small}}-shapes.py"]

model = dict(
    box_head=dict(l1_weight=0.0, giou_weight=0.0, matcher=dict(l1_cost=0.0, giou_cost=0.0)),
    postprocessor=dict(nms_thr=None),
)
