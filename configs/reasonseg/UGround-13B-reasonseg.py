# UGround-13B on LLaVA-1.5 and SAM ViT-H for reasoning segmentation (ReasonSeg).
#
# Reported, gIoU / cIoU:  val 67.9 / 74.9   test 65.0 / 65.5   short 57.2 / 50.9   long
# 67.5 / 69.4 (paper)
# Ours: not trained.
#
#   bash tools/dist_train.sh configs/reasonseg/UGround-13B-reasonseg.py 1
#   bash tools/dist_test.sh configs/reasonseg/UGround-13B-reasonseg.py 1 \
#       --load-from pretrain_weights/UGround-13B-reasonseg
#
# The published evaluation reads the last layer (test_layer "last"), and the published scripts
# for val train with train_layers "last" as well, that is, without the policy.
# Hardware: 1 GPU in the published scripts. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/llava1_5/13b.py",
    "../_base_/datasets/lisa_reasonseg.py",
    "../_base_/schedules/lisa.py",
    "../_base_/runtime/lisa.py",
]

model = dict(
    type="UGround",
    mllm=dict(lora=dict(rank=64)),
    policy=dict(type="LayerPolicyHead", num_layers=41, channels=5120),
    policy_loss=dict(type="LayerPolicyLoss", form="per_image", weight=0.1),
    train_layers="both",
    test_layer="last",
    similarity_bce_weight=2.0,
    similarity_dice_weight=4.0,
)
