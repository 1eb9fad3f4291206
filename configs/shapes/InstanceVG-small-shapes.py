# InstanceVG on the generated shapes, scale "small": 3 to 8 objects, stripes, occlusion; preset
# "clean". Larger than the miniature in every part. Options for training from scratch are the same.
#
# Ours: not trained yet.
#
#   python tools/prepare_data.py shapes --scale small --out data/shapes-small
#   export SHAPES_ROOT=data/shapes-small
#   bash tools/dist_train.sh configs/shapes/InstanceVG-small-shapes.py 0
#
# Hardware: one CPU core. Time: 2.8 s per step, a day or more for 8 epochs. Memory: not measured.
_base_ = ["./InstanceVG-tiny-shapes.py"]

model = dict(
    channels=64,
    backbone=dict(embed_dim=192, depth=6, num_heads=6, ffn_dim=768, image_size=128, init_std=0.05),
    neck=dict(in_channels=64, out_channels=64),
    pixel_decoder=dict(channels=64),
    query_selector=dict(channels=64, num_queries=10, ffn_channels=128),
    decoder=dict(channels=64, num_layers=3, ffn_channels=256),
    box_head=dict(channels=64),
    semantic_mask_head=dict(channels=64),
    existence_head=dict(channels=64),
)

# Sentences are longer than in the tiny scale; those of the large scale have at most 31 tokens.
_larger = dict(pipeline=dict(resize=dict(size=128), tokenize=dict(max_tokens=32)))
train_cfg = dict(max_epochs=8)
train_dataloader = dict(dataset=_larger)
val_dataloader = dict(dataset=_larger)
test_splits = dict(grefs_test=dict(dataset=_larger), refs_test=dict(dataset=_larger))
