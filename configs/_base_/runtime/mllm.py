# What runs of language models share beside configs/_base_/runtime/default.py: iterations, not
# epochs, and the ways to spread a large model. Choose one by --cfg-options or in a leaf:
#
#   every process has all of it (DDP): nothing to set
#   optimizer states spread (ZeRO-1), as published:
#       optim_wrapper.optimizer.type=ZeroRedundancyOptimizer
#       optim_wrapper.optimizer.optimizer_type=AdamW
#   weights, gradients and states spread (FSDP, as ZeRO-3):
#       model_wrapper_cfg.type=MMFullyShardedDataParallel
_base_ = ["default.py"]
default_hooks = dict(
    logger=dict(type="LoggerHook", interval=50, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=1000, max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False)
