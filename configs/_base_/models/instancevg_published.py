# Preset "published", BEiT-3 Base: every choice that the published weights or numbers depend on, the
# odd ones included. Weights fit both presets; the other one is instancevg_clean.py.
_base_ = ["./instancevg_beit3_base.py"]

model = dict(
    # The weights were trained with the mean of the channels, where the paper says L2 norm.
    query_selector=dict(token_score="mean"),
    # Point + sigmoid(shift) reaches up to 2; the decoder learned to sample around such references.
    decoder=dict(reference="sum"),
    # The published weight dictionary matches the last layer's names only; the others weigh 1 each.
    box_head=dict(aux_weights=(1.0, 1.0, 1.0)),
    # Trained by softmax, read by a sigmoid on each logit; the threshold of 0.7 was chosen on that.
    existence_head=dict(activation="sigmoid"),
    # Attention read as logits, although probabilities near 1 / 400: an almost constant loss.
    attention_loss=dict(form="logits"),
    # Published numbers compare masks at the network's 320 x 320, whatever the image's size ...
    # ... and published pictures enlarge the binary masks from there.
    postprocessor=dict(frame="input", mask_resize="nearest"),
)
