# LISA-7B on LLaVA-1.5 and SAM ViT-H for reasoning segmentation (ReasonSeg).
#
# Reported, gIoU / cIoU:  val 61.3 / 62.9   test 55.6 / 56.9 (LLaVA-1.5, fine-tuned
# on ReasonSeg; as quoted by UGround)
# Ours: not trained.
#
#   bash tools/dist_train.sh configs/reasonseg/LISA-7B-reasonseg.py 1
#   bash tools/dist_test.sh configs/reasonseg/LISA-7B-reasonseg.py 1 \
#       --load-from pretrain_weights/LISA-7B-reasonseg
#
# Trained here on ReasonSeg alone; the published mixture adds semantic and referring segmentation
# and visual question answering, 9 : 3 : 3 : 1.
# Hardware: not measured. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/llava1_5/7b.py",
    "../_base_/datasets/lisa_reasonseg.py",
    "../_base_/schedules/lisa.py",
    "../_base_/runtime/lisa.py",
]

_pixels = dict(mean=[122.771, 116.746, 104.094], std=[68.501, 66.632, 70.323])
model = dict(
    type="LISA",
    # CLIP's own normalization and a center crop, without padding.
    data_preprocessor=dict(views=dict(clip=dict(_delete_=True, **_pixels))),
    mask_loss=dict(dice_weight=0.5),
    train_prompt_encoder=False,
)
_clip = dict(
    _delete_=True,
    type="AddView",
    key="clip",
    steps=[
        dict(
            type="ResizeSide",
            size=336,
            side="short",
            backend="pil",
            interpolation="bicubic",
            rounding="down",
        ),
        dict(type="CenterCrop", size=336),
    ],
)
train_dataloader = dict(dataset=dict(pipeline=dict(view=_clip)))
val_dataloader = dict(dataset=dict(pipeline=dict(view=_clip)))
test_splits = dict(
    val=dict(dataset=dict(pipeline=dict(view=_clip))),
    test=dict(dataset=dict(pipeline=dict(view=_clip))),
    test_shortquery=dict(dataset=dict(pipeline=dict(view=_clip))),
    test_longquery=dict(dataset=dict(pipeline=dict(view=_clip))),
)
