# EEVG's list of RefCOCO, RefCOCO+ and RefCOCOg together, with polygons:
#     data/mask_data/mixed_coco/mixed_coco_{train,val}.pth
# Whether it leaves out the images that the three are tested on is not published (docs/plvl.md).
_base_ = ["./refcoco.py"]

folders = dict(data_root="data", ann_root="mask_data", image_root=dict(coco="images/train2014"))
mixed = dict(_delete_=True, type="EEVGListDataset", name="mixed_coco", **folders)
train_dataloader = dict(
    dataset=dict(mixed, split="train", pipeline={{_base_.train_dataloader.dataset.pipeline}})
)
val_dataloader = dict(
    dataset=dict(mixed, split="val", pipeline={{_base_.val_dataloader.dataset.pipeline}})
)
del folders, mixed
