# InstanceVG in miniature on the generated shapes: the first run, on a CPU, without downloads. The
# classes are those of configs/gres/InstanceVG-grefcoco.py with smaller sizes. Options that are only
# kept for the published weights have their better-behaved value.
#
# Ours, pretrain_weights/InstanceVG-tiny-shapes.safetensors, test split, percent:  GRES gIoU 85.9,
# N-acc 92.5; GREC Pr@(F1=1) 87.2; single-target REC Acc@0.5 94.8, RES mIoU 83.8.
#
#   bash tools/quickstart.sh
# or manually:
#   python tools/prepare_data.py shapes --out data/shapes
#   bash tools/dist_train.sh configs/shapes/InstanceVG-tiny-shapes.py 0
#   bash tools/dist_test.sh configs/shapes/InstanceVG-tiny-shapes.py 0 --load-from CKPT
# The included weights were trained longer and on more scenes:
#   python tools/prepare_data.py shapes --out data/shapes-6000 --num-train 6000
#   SHAPES_ROOT=data/shapes-6000 OMP_NUM_THREADS=1 \
#       bash tools/dist_train.sh configs/shapes/InstanceVG-tiny-shapes.py 0 \
#       --cfg-options train_cfg.max_epochs=6
#
# Hardware: one CPU core, and another one for the loader. Time: 70 minutes for the included weights,
# about 15 minutes for the quick start on two cores. Memory: not measured.
_base_ = [
    "../_base_/models/instancevg_beit3_base.py",
    "../_base_/datasets/shapes.py",
    "../_base_/schedules/shapes_cpu.py",
    "../_base_/runtime/default.py",
]

model = dict(
    channels=24,
    backbone=dict(
        embed_dim=128,
        depth=4,
        num_heads=4,
        ffn_dim=256,
        image_size=64,
        patch_size=8,
        vocab_size=514,
        num_text_positions=66,
        drop_path_rate=0.0,
        # The published initialization is for a pretrained model of width 768.
        init_std=0.06,
        embed_init_std=0.5,
        sine_position_scale=2.0,
        # Makes shapes and sizes learnable in minutes. With random filters they take ten times as
        # many samples as colors.
        cosine_patch_scale=4.0,
    ),
    neck=dict(in_channels=24, out_channels=24),
    pixel_decoder=dict(channels=24),
    query_selector=dict(
        channels=24, num_queries=6, num_heads=4, ffn_channels=48, dropout=0.0, token_score="l2"
    ),
    decoder=dict(
        channels=24,
        num_layers=2,
        num_heads=4,
        ffn_channels=96,
        dropout=0.0,
        reference="residual",
    ),
    box_head=dict(channels=24, aux_weights=None, no_object_weight=0.3, loss_weight=0.3),
    semantic_mask_head=dict(channels=24),
    existence_head=dict(channels=24, activation="softmax", loss_weight=1.0),
    # Without pretraining, this loss binds words to locations. With 0.1 the model still ignores the
    # expression after 20 000 samples.
    attention_loss=dict(form="mass", loss_weight=1.0),
    # Chosen on the val split, like the metrics in configs/_base_/datasets/shapes.py.
    postprocessor=dict(mask_resize="bilinear", score_thr=0.6, nms_thr=0.5),
)
