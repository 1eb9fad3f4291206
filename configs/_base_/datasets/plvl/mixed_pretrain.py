# EEVG's list of Visual Genome, Flickr30k Entities and the RefCOCO family, boxes only:
#     data/mask_data/mixed_pretrain/mixed_pretrain_{train,val}.pth
# Its contents are not published; docs/plvl.md explains what to check first.
_base_ = ["./mixed_finetune.py"]

_mixed = dict(
    name="mixed_pretrain",
    image_root=dict(coco="images/train2014", flickr="images/flickr30k", vg="images/visual-genome"),
    pipeline=dict(targets=dict(with_masks=False)),
)
_metrics = [dict(type="RECMetric")]
_boxes_only = dict(dataset=dict(pipeline=dict(targets=dict(with_masks=False))), evaluator=_metrics)

train_dataloader = dict(dataset=_mixed)
val_dataloader = dict(dataset=_mixed)
val_evaluator = _metrics
test_splits = dict(val=_boxes_only, testA=_boxes_only, testB=_boxes_only)
