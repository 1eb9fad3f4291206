# The published recipe of InstanceVG for the mixture of RefCOCO, RefCOCO+ and RefCOCOg: the
# other one, but 20 epochs, of which three warm up and those from the 15th on run at a tenth of the
# rate. 16 samples a process for the Base, 4 for the Large.
_base_ = ["./instancevg_10e.py"]

train_cfg = dict(max_epochs=20)
# Factors by epoch, from 0: (e + 1) / (W + 1) for e < W = 3; 0.1 once e + 1 >= 15.
param_scheduler = [
    dict(type="LinearLR", start_factor=0.25, end_factor=1.0, by_epoch=True, begin=0, end=4),
    dict(type="MultiStepLR", gamma=0.1, milestones=[14], by_epoch=True),
]
