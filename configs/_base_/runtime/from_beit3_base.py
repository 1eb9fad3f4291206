# Settings of the published InstanceVG runs: the seed, and the pretrained encoder that training
# starts from (not needed for testing, resuming, or --load-from).
_base_ = ["./default.py"]

randomness = dict(seed=6666, deterministic=True)
custom_hooks = [
    dict(
        type="PretrainedWeightsHook",
        module="backbone",
        checkpoint="pretrain_weights/beit3_base_patch16_224.zip",
        url="https://github.com/microsoft/unilm/tree/master/beit3",
    ),
]
