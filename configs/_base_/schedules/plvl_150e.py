# Published recipe of PLVL: AdamW, weight decay on every parameter, the visual backbone (with its
# text injectors) at 0.4 and BERT at 0.2 of the rate; float16, no clipping, no warm-up; 20 samples
# per process, 4 processes.
train_cfg = dict(by_epoch=True, max_epochs=150, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type="AutocastOptimWrapper",
    dtype="float16",
    constructor="MergedGroupsConstructor",
    optimizer=dict(type="AdamW", lr=2.5e-5, weight_decay=1e-4),
    paramwise_cfg=dict(
        custom_keys=dict(backbone=dict(lr_mult=0.4), text_encoder=dict(lr_mult=0.2))
    ),
)
# The factor of epoch e, from 0, is (1 - e / 150) ** 0.9, since PolyLR ends one step before `end`.
param_scheduler = [dict(type="PolyLR", power=0.9, eta_min=0.0, by_epoch=True, begin=0, end=151)]
