# EEVG's list of Visual Genome, Flickr30k Entities and the RefCOCO family, boxes only:
#     data/mask_data/mixed_pretrain/mixed_pretrain_{train,val}.pth
# What it is made of is not published; docs/plvl.md says what to check before.
_base_ = ["./mixed_finetune.py"]

mixed = dict(
    name="mixed_pretrain",
    image_root=dict(coco="images/train2014", flickr="images/flickr30k", vg="images/visual-genome"),
    pipeline=dict(targets=dict(with_masks=False)),
)
metrics = [dict(type="RECMetric")]
boxes_only = dict(dataset=dict(pipeline=dict(targets=dict(with_masks=False))), evaluator=metrics)

train_dataloader = dict(dataset=mixed)
val_dataloader = dict(dataset=mixed)
val_evaluator = metrics
test_splits = dict(val=boxes_only, testA=boxes_only, testB=boxes_only)
del mixed, metrics, boxes_only
