# Published recipe of MLLMSeg: AdamW with one rate for all trained parameters, 3 % warm-up, cosine
# decay to zero, gradients clipped to a norm of 1, bfloat16; 50 000 steps of 32 images: 4 GPUs, 4
# images each, 2 iterations per step.
train_cfg = dict(type="IterBasedTrainLoop", max_iters=100000, val_interval=10000)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type="AutocastOptimWrapper",
    dtype="bfloat16",
    constructor="MergedGroupsConstructor",
    optimizer=dict(type="AdamW", lr=4e-5, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.05),
    accumulative_counts=2,
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0, end=3000),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=3000, end=100000, eta_min=0.0),
]
