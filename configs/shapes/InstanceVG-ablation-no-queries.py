# Ablation of instance queries (docs/instancevg.md): one mask of all targets and the probability
# that there is one, so only GRES and RES are valid.
#
# Ours, tiny size, test split, percent, after 2 / 4 epochs:  GRES gIoU 66.5 / 75.6, RES mIoU
# 68.3 / 74.3; with queries 63.1 / 80.9, 67.0 / 79.5.
#
#   SHAPES_ROOT=data/shapes SHAPES_SIZE=tiny \
#       bash tools/dist_train.sh configs/shapes/InstanceVG-ablation-no-queries.py 0
# Without SHAPES_SIZE it is the ablation of InstanceVG-small-shapes.py, which was not run.
#
# Hardware: one core of an AMD EPYC. Time: 15 minutes for 2 epochs. Memory: not measured.
_base_ = ["./InstanceVG-ablation-no-instances.py"]

model = dict(
    box_head=dict(loss_weight=0.0),
    # Untrained scores decide nothing: existence alone does.
    postprocessor=dict(score_thr=0.0, existence_thr=0.6, nms_thr=None),
)
