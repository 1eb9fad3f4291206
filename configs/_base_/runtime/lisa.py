# Settings of LISA and its descendants, in addition to mllm.py: SAM's weights. Those of the language
# model are named by model.mllm.pretrained. Neither is needed for testing, resuming, or --load-from.
_base_ = ["mllm.py"]

_sam = dict(
    checkpoint="pretrain_weights/sam_vit_h_4b8939.pth",
    url="https://github.com/facebookresearch/segment-anything#model-checkpoints",
)
_parts = ["image_encoder", "prompt_encoder", "mask_decoder"]
custom_hooks = [dict(_sam, type="PretrainedWeightsHook", module=_parts)]
