# ruff: noqa: C408
_base_ = ["../../configs/_base_/runtime/default.py"]
custom_imports = dict(imports=["toy_grounder"])
model = dict(type="ToyGrounder", width=16)
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="toy_collate"),
    dataset=dict(type="ToyRectangles", length=21),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False, round_up=False),
    collate_fn=dict(type="toy_collate"),
    dataset=dict(type="ToyRectangles", length=11),
)
val_evaluator = [dict(type="GRESMetric"), dict(type="GRECMetric")]
test_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False, round_up=False),
    collate_fn=dict(type="toy_collate"),
)
test_splits = dict(
    odd=dict(dataset=dict(type="ToyRectangles", length=13), evaluator=[dict(type="GRESMetric")]),
    small=dict(
        dataset=dict(type="ToyRectangles", length=5),
        evaluator=[dict(type="GRESMetric"), dict(type="GRECMetric")],
    ),
)
train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type="AdamW", lr=1e-2), clip_grad=dict(max_norm=1.0))
param_scheduler = [dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=8)]
custom_hooks = [dict(type="EMAHook", momentum=0.1)]
default_hooks = dict(checkpoint=dict(save_best="gres/gIoU", rule="greater"))
