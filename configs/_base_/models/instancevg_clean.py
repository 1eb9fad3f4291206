# Preset "clean", BEiT-3 Base: better-behaved options for training from scratch. Weights fit both
# presets; the other one is instancevg_published.py.
_base_ = ["./instancevg_beit3_base.py"]

model = dict(
    # As in the paper. A mean of channels, which layer norms keep near 0, hardly ranks tokens.
    query_selector=dict(token_score="l2"),
    # Residual in logit space: references stay inside the image.
    decoder=dict(reference="residual"),
    # Every decoder layer is trained with the weights of the last one.
    box_head=dict(aux_weights=None),
    # Same activation as in training: the two probabilities sum to 1.
    existence_head=dict(activation="softmax"),
    # Attention mass on the targets, with a gradient that moves the prior points.
    attention_loss=dict(form="mass"),
    # Official protocol: masks are compared at the image's size, and resized before the threshold.
    postprocessor=dict(frame="original", mask_resize="bilinear"),
)
