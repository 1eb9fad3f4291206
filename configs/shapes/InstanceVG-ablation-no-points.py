# Without prior points (docs/instancevg.md, "Ablations"): they neither place queries nor match them.
_base_ = ["./InstanceVG-{{$SHAPES_SIZE:small}}-shapes.py"]

model = dict(decoder=dict(reference="content"), box_head=dict(matcher=dict(point_cost=0.0)))
