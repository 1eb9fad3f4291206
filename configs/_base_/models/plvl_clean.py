# Preset "clean", ViTDet-B and BERT-base: better-behaved options for training from scratch. Weights
# fit both presets; the published one is plvl_vitdet_base.py.
_base_ = ["./plvl_vitdet_base.py"]

model = dict(
    # Patches attend to words only, not to padding.
    backbone=dict(text_injector=dict(mask_padding=True)),
    # Size and offset are trained in the cell of the target from the first step on, no target at the
    # border is lost, and scores start low, so that the many empty cells do not dominate the one
    # peak.
    box_head=dict(supervised_cell="target", keep_center_inside=True, prior_score=0.1),
    # The focal loss without the second sigmoid.
    mask_head=dict(loss=dict(form="corrected")),
)
