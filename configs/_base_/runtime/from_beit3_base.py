# What the published InstanceVG runs share: the seed, and the pretrained encoder that a training
# starts from (not needed to test, to resume, or with --load-from).
_base_ = ["./default.py"]

randomness = dict(seed=6666, deterministic=True)
custom_hooks = [
    dict(
        type="PretrainedWeightsHook",
        module="backbone",
        checkpoint="pretrain_weights/beit3_base_patch16_224.zip",
        page="https://github.com/microsoft/unilm/tree/master/beit3",
    ),
]
