# The preset "published" in place of "clean" (docs/instancevg.md, "Ablations"), scored in the same
# frame.
_base_ = ["./InstanceVG-{{$SHAPES_SIZE:small}}-shapes.py"]

model = dict(
    query_selector=dict(token_score="mean"),
    decoder=dict(reference="sum"),
    box_head=dict(aux_weights=(1.0, 1.0, 1.0)),
    existence_head=dict(activation="sigmoid"),
    attention_loss=dict(form="logits"),
    postprocessor=dict(mask_resize="nearest"),
)
