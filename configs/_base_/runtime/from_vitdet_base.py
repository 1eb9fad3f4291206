# What the published PLVL runs share: the seed, and the weights that a training starts from (not
# needed to test, to resume, or with --load-from). ViTDet's were trained on boxes and masks of COCO
# train2017: images that RefCOCO, RefCOCO+ and RefCOCOg are tested on are among them.
_base_ = ["./default.py"]

randomness = dict(seed=13, deterministic=True)
vitdet = dict(
    checkpoint="pretrain_weights/model_final_435fa9.pkl",
    page="https://github.com/facebookresearch/detectron2/tree/main/projects/ViTDet "
    "(Cascade Mask R-CNN, ViTDet, ViT-B)",
)
bert = dict(
    checkpoint="pretrain_weights/bert-base-uncased/model.safetensors",
    page="https://huggingface.co/google-bert/bert-base-uncased",
)
custom_hooks = [
    dict(vitdet, type="PretrainedWeightsHook", module="backbone"),
    dict(bert, type="PretrainedWeightsHook", module="text_encoder"),
]
del vitdet, bert
# The best weights by box and by mask: the published evaluation takes each for its own task.
default_hooks = dict(
    checkpoint=dict(save_best=["rec/Acc@0.5", "res/mIoU"], rule=["greater", "greater"])
)
