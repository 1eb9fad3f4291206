# Settings of the published PLVL runs: the seed, and the weights that training starts from (not
# needed for testing, resuming, or --load-from). ViTDet's weights were trained on boxes and masks of
# COCO train2017, which includes test images of RefCOCO, RefCOCO+ and RefCOCOg.
_base_ = ["./default.py"]

randomness = dict(seed=13, deterministic=True)
_vitdet = dict(
    checkpoint="pretrain_weights/model_final_435fa9.pkl",
    url="https://github.com/facebookresearch/detectron2/tree/main/projects/ViTDet "
    "(Cascade Mask R-CNN, ViTDet, ViT-B)",
)
_bert = dict(
    checkpoint="pretrain_weights/bert-base-uncased/model.safetensors",
    url="https://huggingface.co/google-bert/bert-base-uncased",
)
custom_hooks = [
    dict(_vitdet, type="PretrainedWeightsHook", module="backbone"),
    dict(_bert, type="PretrainedWeightsHook", module="text_encoder"),
]
# Best weights by box and by mask: the published evaluation uses a checkpoint per task.
default_hooks = dict(
    checkpoint=dict(save_best=["rec/Acc@0.5", "res/mIoU"], rule=["greater", "greater"])
)
