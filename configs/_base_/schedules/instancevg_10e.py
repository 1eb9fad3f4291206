# Published recipe of InstanceVG for gRefCOCO, Ref-ZOM and R-RefCOCO: Adam with amsgrad, the encoder
# at a tenth of the rate, gradients clipped to a norm of 0.15; 10 epochs, the first at half the rate
# and those from the seventh on at a tenth of it. 16 samples per process.
train_cfg = dict(by_epoch=True, max_epochs=10, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="MergedGroupsConstructor",
    optimizer=dict(
        type="Adam", lr=5e-4, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.0, amsgrad=True
    ),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=0.15),
)
# Factors by epoch, from 0: (e + 1) / (W + 1) for e < W = 1; 0.1 once e + 1 >= 7. mmengine's
# ConstantLR ends one step before its `end`.
param_scheduler = [
    dict(type="ConstantLR", factor=0.5, by_epoch=True, begin=0, end=2),
    dict(type="MultiStepLR", gamma=0.1, milestones=[6], by_epoch=True),
]
