# LISA in miniature on the generated shapes, on a CPU, without downloads: the state of [SEG] prompts
# SAM.
#
#   python tools/prepare_data.py shapes --out data/shapes
#   CPU_PROCESSES=2 bash tools/dist_train.sh configs/shapes/LISA-tiny-shapes.py 0
#   bash tools/dist_test.sh configs/shapes/LISA-tiny-shapes.py 0 --load-from CKPT
#
# Ours: not measured. Hardware: not measured. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/lisa_tiny.py",
    "../_base_/datasets/lisa_shapes.py",
    "../_base_/schedules/shapes_cpu.py",
    "../_base_/runtime/default.py",
]

model = dict(
    type="LISA",
)
# The loss of the text is small until masks follow the words, and the output table learns faster
# than the layers below it, see MLLMSeg-tiny-shapes.py.
custom_hooks = [
    dict(
        type="HyperParameterHook", attribute="language_weight", milestones=[4, 8], values=[0.3, 1.0]
    )
]
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys=dict(lm_head=dict(lr_mult=30.0), language_model=dict(lr_mult=0.4)),
    ),
)
train_cfg = dict(max_epochs=12, val_interval=12)
