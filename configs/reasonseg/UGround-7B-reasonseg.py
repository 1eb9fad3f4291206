# UGround-7B on LLaVA-1.5 and SAM ViT-H for reasoning segmentation (ReasonSeg).
#
# Reported, gIoU / cIoU:  val 66.1 / 72.1   test 63.6 / 65.4   short 55.1 / 48.5   long
# 66.3 / 70.2 (paper)
# Ours: not trained.
#
#   bash tools/dist_train.sh configs/reasonseg/UGround-7B-reasonseg.py 1
#   bash tools/dist_test.sh configs/reasonseg/UGround-7B-reasonseg.py 1 \
#       --load-from pretrain_weights/UGround-7B-reasonseg
#
# The published evaluation reads the last layer (test_layer "last"), and the published scripts
# for val train with train_layers "last" as well, that is, without the policy.
# Hardware: 1 GPU in the published scripts. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/llava1_5/7b.py",
    "../_base_/datasets/lisa_reasonseg.py",
    "../_base_/schedules/lisa.py",
    "../_base_/runtime/lisa.py",
]

model = dict(
    type="UGround",
    policy=dict(type="LayerPolicyHead", num_layers=33, channels=4096),
    policy_loss=dict(type="LayerPolicyLoss", form="per_image", weight=0.1),
    train_layers="both",
    test_layer="last",
    similarity_bce_weight=2.0,
    similarity_dice_weight=4.0,
)
