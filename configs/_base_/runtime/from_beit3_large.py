# As from_beit3_base.py, with BEiT-3 Large.
_base_ = ["./from_beit3_base.py"]

custom_hooks = [
    dict(
        type="PretrainedWeightsHook",
        module="backbone",
        checkpoint="pretrain_weights/beit3_large_patch16_224.zip",
        page="https://github.com/microsoft/unilm/tree/master/beit3",
    ),
]
