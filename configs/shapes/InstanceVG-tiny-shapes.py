# InstanceVG in miniature on the generated world: the first run, on a CPU, without downloads.
# The classes are those of configs/gres/InstanceVG-grefcoco.py with smaller numbers, and with the
# better-behaved option wherever the published one is kept for the published weights' sake.
#
#   python tools/prepare_data.py shapes --out data/shapes
#   bash tools/dist_train.sh configs/shapes/InstanceVG-tiny-shapes.py 0
#   bash tools/dist_test.sh configs/shapes/InstanceVG-tiny-shapes.py 0 --load-from CKPT
_base_ = [
    "../_base_/models/instancevg_beit3_base.py",
    "../_base_/datasets/shapes.py",
    "../_base_/schedules/shapes_cpu.py",
    "../_base_/runtime/default.py",
]

model = dict(
    channels=32,
    backbone=dict(
        embed_dim=128,
        depth=4,
        num_heads=4,
        ffn_dim=512,
        image_size=64,
        patch_size=8,
        vocab_size=512,
        num_text_positions=66,
        drop_path_rate=0.0,
    ),
    neck=dict(in_channels=32, out_channels=32),
    pixel_decoder=dict(channels=32),
    query_selector=dict(
        channels=32, num_queries=6, num_heads=4, ffn_channels=64, dropout=0.0, token_score="l2"
    ),
    decoder=dict(channels=32, num_heads=4, ffn_channels=128, dropout=0.0, reference="residual"),
    box_head=dict(channels=32, aux_weights=None),
    semantic_mask_head=dict(channels=32),
    existence_head=dict(channels=32, activation="softmax"),
    attention_loss=dict(form="mass"),
    postprocessor=dict(mask_resize="bilinear"),
)
train_dataloader = dict(
    dataset=dict(pipeline=dict(resize=dict(size=64), tokenize=dict(max_tokens=24)))
)
