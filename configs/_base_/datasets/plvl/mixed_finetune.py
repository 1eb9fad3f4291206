# EEVG's list of RefCOCO, RefCOCO+ and RefCOCOg together, with polygons:
#     data/mask_data/mixed_coco/mixed_coco_{train,val}.pth
# Whether it excludes the test images of the three is not published (docs/plvl.md).
_base_ = ["./refcoco.py"]

_folders = dict(data_root="data", ann_root="mask_data", image_root=dict(coco="images/train2014"))
_mixed = dict(_delete_=True, type="EEVGListDataset", name="mixed_coco", **_folders)
train_dataloader = dict(
    dataset=dict(_mixed, split="train", pipeline={{_base_.train_dataloader.dataset.pipeline}})
)
val_dataloader = dict(
    dataset=dict(_mixed, split="val", pipeline={{_base_.val_dataloader.dataset.pipeline}})
)
