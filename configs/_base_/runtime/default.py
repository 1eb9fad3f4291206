# Settings of every run: hooks, logs, environment, seed.
default_scope = "vgtoolbox"
default_hooks = dict(
    runtime_info=dict(type="RuntimeInfoHook"),
    timer=dict(type="IterTimerHook"),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    seed=dict(type="SeedHook"),
    dataset_epoch=dict(type="DatasetEpochHook"),
    param_scheduler=dict(type="ParamSchedulerHook"),
    loss_guard=dict(type="NonFiniteLossHook"),
    logger=dict(type="LoggerHook", interval=50),
    progress=dict(type="ProgressBarHook"),
    # Targets next to predictions, in the work directory and TensorBoard; num_samples=0 draws none.
    pictures=dict(type="GroundingVisualizationHook", num_samples=4),
    checkpoint=dict(type="ResumableCheckpointHook", interval=1, max_keep_ckpts=1),
)
custom_hooks = []
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    # Seconds until the other processes end: without a sign of life of one (it is stopped), and
    # without progress of all (the one that is behind hangs).
    dist_cfg=dict(rank_timeout=120, timeout=1800),
)
log_processor = dict(type="LogProcessor", window_size=50, by_epoch=True)
log_level = "INFO"
visualizer = dict(
    type="Visualizer",
    vis_backends=[dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")],
)
randomness = dict(seed=0)
device = "auto"
