# Preset "published", BEiT-3 Base: all options that the published weights or numbers depend on,
# including peculiar ones. Weights fit both presets; the other one is instancevg_clean.py.
_base_ = ["./instancevg_beit3_base.py"]

model = dict(
    # The weights were trained with the mean of the channels; the paper describes the L2 norm.
    query_selector=dict(token_score="mean"),
    # Point + sigmoid(shift) reaches up to 2; the decoder learned to sample around such references.
    decoder=dict(reference="sum"),
    # The published weight dictionary only matches names of the last layer; the others have weight
    # 1.
    box_head=dict(aux_weights=(1.0, 1.0, 1.0)),
    # Trained with softmax, but read by a sigmoid on each logit; the threshold 0.7 was chosen for
    # it.
    existence_head=dict(activation="sigmoid"),
    # Treats probabilities near 1 / 400 as logits, so the loss is almost constant.
    attention_loss=dict(form="logits"),
    # Published numbers compare masks in the 320 x 320 input, whatever the size of the image, and
    # published pictures enlarge these binary masks.
    postprocessor=dict(frame="input", mask_resize="nearest"),
)
