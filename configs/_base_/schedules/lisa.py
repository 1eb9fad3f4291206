# Recipe of LISA and its descendants, which DeepSpeed runs in the published code: AdamW, a linear
# warm-up of 100 steps and a linear decay to zero, gradients clipped to a norm of 1, bfloat16; 10
# iterations of 2 images per step. Iterations are counted, 10 of which are a step.
train_cfg = dict(type="IterBasedTrainLoop", max_iters=240000, val_interval=2000)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type="AutocastOptimWrapper",
    dtype="bfloat16",
    constructor="MergedGroupsConstructor",
    optimizer=dict(type="AdamW", lr=3e-4, betas=(0.9, 0.95), weight_decay=0.0),
    accumulative_counts=10,
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0, end=1000),
    dict(type="LinearLR", start_factor=1.0, end_factor=0.0, by_epoch=False, begin=1000, end=240000),
]
