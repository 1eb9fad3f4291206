# Published recipe of InstanceVG for the mixture of RefCOCO, RefCOCO+ and RefCOCOg: as
# instancevg_10e.py, but with 20 epochs, three of them for warm-up, and a tenth of the rate from the
# 15th epoch on. 16 samples per process for the Base model, 4 for the Large.
_base_ = ["./instancevg_10e.py"]

train_cfg = dict(max_epochs=20)
# Factors by epoch, from 0: (e + 1) / (W + 1) for e < W = 3; 0.1 once e + 1 >= 15.
param_scheduler = [
    dict(type="LinearLR", start_factor=0.25, end_factor=1.0, by_epoch=True, begin=0, end=4),
    dict(type="MultiStepLR", gamma=0.1, milestones=[14], by_epoch=True),
]
