# Without masks of instances (docs/instancevg.md, "Ablations"): one mask of everything named.
_base_ = ["./InstanceVG-{{$SHAPES_SIZE:small}}-shapes.py"]

model = dict(
    query_mask_head=dict(loss=dict(dice_weight=0.0, bce_weight=0.0)),
    postprocessor=dict(merged_mask="semantic"),
)
