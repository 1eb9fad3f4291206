# Preset "published" on BEiT-3 Large. A typing error in the published code switches its stochastic
# depth off, and so the weights were trained.
_base_ = ["./instancevg_published.py"]

model = dict(
    backbone=dict(embed_dim=1024, depth=24, num_heads=16, ffn_dim=4096, drop_path_rate=0.0),
)
