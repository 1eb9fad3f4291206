# Settings of language model runs, in addition to configs/_base_/runtime/default.py: they count
# iterations, not epochs. With several processes, each has the whole model (DDP). To shard it, or
# only the optimizer states, see docs/mllm.md, "Training".
_base_ = ["default.py"]
default_hooks = dict(
    logger=dict(type="LoggerHook", interval=50, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=1000, max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False)
