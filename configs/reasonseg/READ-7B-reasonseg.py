# READ-7B on LLaVA-1.5 and SAM ViT-H for reasoning segmentation (ReasonSeg).
#
# Reported, gIoU / cIoU:  val 59.8 / 67.6   test 58.5 / 58.6   short 52.6 / 49.5   long
# 60.4 / 61.0
# Ours: not trained.
#
#   bash tools/dist_train.sh configs/reasonseg/READ-7B-reasonseg.py 1
#   bash tools/dist_test.sh configs/reasonseg/READ-7B-reasonseg.py 1 \
#       --load-from pretrain_weights/READ-7B-reasonseg
#
# The points are those of the READ in the code of UGround. The code of READ has 30 points on a
# grid of half the size for the 7B: model.num_points=30 model.down_sample=2.
# Hardware: not measured. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/llava1_5/7b.py",
    "../_base_/datasets/lisa_reasonseg.py",
    "../_base_/schedules/lisa.py",
    "../_base_/runtime/lisa.py",
]

model = dict(
    type="READ",
    # Padding of the view of the language model is not masked.
    data_preprocessor=dict(views=dict(clip=dict(mask_padding=False))),
    num_points=60,
)
