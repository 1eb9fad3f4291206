# AdamW with a short linear warm-up and a cosine to zero, both counted in iterations, so that the
# number of epochs can change freely.
train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="MergedGroupsConstructor",
    optimizer=dict(type="AdamW", lr=7e-4, betas=(0.9, 0.98), weight_decay=1e-4, fused=True),
    clip_grad=dict(max_norm=1.0),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
# Used by train --auto-scale-lr: total batch size that the learning rate was chosen for.
auto_scale_lr = dict(enable=False, base_batch_size=16)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=200),
    dict(type="CosineAnnealingLR", by_epoch=True, begin=0, eta_min=0.0, convert_to_iter_based=True),
]
