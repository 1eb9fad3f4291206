# InstanceVG (BEiT-3 Large, 320 px, one query) on RefCOCO, RefCOCO+ and RefCOCOg together.
#
# Reported: we do not know of numbers for the Large model. Ours: not measured, since the published
# weights were not available. Their layout is checked name by name and shape by shape
# (tests/parity).
#
#   bash tools/dist_train.sh configs/refcoco/InstanceVG-L-refcoco.py 4
#   bash tools/dist_test.sh configs/refcoco/InstanceVG-L-refcoco.py 1 --load-from CKPT
#
# Published recipe: as the Base model, with 4 samples per GPU and without stochastic depth (which a
# typo disables). 686 M parameters.
# Hardware: number of GPUs not stated. Time: not measured. Memory: not measured.
_base_ = ["./InstanceVG-B-refcoco.py"]

model = dict(
    backbone=dict(embed_dim=1024, depth=24, num_heads=16, ffn_dim=4096, drop_path_rate=0.0)
)
train_dataloader = dict(batch_size=4)
custom_hooks = [
    dict(
        type="PretrainedWeightsHook",
        module="backbone",
        checkpoint="pretrain_weights/beit3_large_patch16_224.zip",
        url="https://github.com/microsoft/unilm/tree/master/beit3",
    ),
]
