# Masks alone (docs/instancevg.md, "Ablations"): no box is trained, matched by or suppressed by, so
# only GRES and RES mean something.
_base_ = ["./InstanceVG-{{$SHAPES_SIZE:small}}-shapes.py"]

model = dict(
    box_head=dict(l1_weight=0.0, giou_weight=0.0, matcher=dict(l1_cost=0.0, giou_cost=0.0)),
    postprocessor=dict(nms_thr=None),
)
