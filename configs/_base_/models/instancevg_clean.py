# Preset "clean", BEiT-3 Base: the better-behaved choices, for training anew. Weights fit both
# presets; the other one is instancevg_published.py.
_base_ = ["./instancevg_beit3_base.py"]

model = dict(
    # As the paper says; a mean of channels, which layer norms keep near 0, hardly ranks tokens.
    query_selector=dict(token_score="l2"),
    # Residual in logit space: references stay inside the image.
    decoder=dict(reference="residual"),
    # Every decoder layer is trained for what the last one is used for.
    box_head=dict(aux_weights=None),
    # Read as it was trained: the two probabilities sum to 1.
    existence_head=dict(activation="softmax"),
    # The attention that falls on the targets: a gradient that moves the prior points.
    attention_loss=dict(form="mass"),
    # Official protocol: masks are compared, and resized before the threshold, at the image's size.
    postprocessor=dict(frame="original", mask_resize="bilinear"),
)
