# Preset "clean", ViTDet-B and BERT-base: the better-behaved choices, for training anew. Weights fit
# both presets; the published one is plvl_vitdet_base.py.
_base_ = ["./plvl_vitdet_base.py"]

model = dict(
    # Words only: the padding of an expression says nothing.
    backbone=dict(text_injector=dict(mask_padding=True)),
    # Size and offset are trained where the target is, from the first step on; no target at the
    # border is lost; scores start low, so that the many empty cells do not drown the one peak.
    box_head=dict(supervised_cell="target", keep_center_inside=True, prior_score=0.1),
    # The formula of the focal loss, without the second sigmoid.
    mask_head=dict(loss=dict(form="clean")),
)
