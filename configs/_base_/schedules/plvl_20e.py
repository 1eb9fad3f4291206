# Published pretraining of PLVL on mixed boxes: as plvl_150e.py, but 20 epochs and 8 processes.
_base_ = ["./plvl_150e.py"]

train_cfg = dict(max_epochs=20)
param_scheduler = [dict(type="PolyLR", power=0.9, eta_min=0.0, by_epoch=True, begin=0, end=21)]
