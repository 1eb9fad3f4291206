# Boxes alone (docs/instancevg.md, "Ablations"): no mask head is trained, so only GREC and REC mean
# something.
_base_ = ["./InstanceVG-{{$SHAPES_SIZE:small}}-shapes.py"]

_untrained = dict(loss=dict(dice_weight=0.0, bce_weight=0.0))
model = dict(
    query_mask_head=_untrained,
    semantic_mask_head=_untrained,
    postprocessor=dict(merged_mask="instance"),
)
del _untrained
