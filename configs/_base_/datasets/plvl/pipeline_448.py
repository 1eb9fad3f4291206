# How PLVL reads an image and an expression, in training and in testing, whatever the data set.
# Published order, sizes and arithmetic; each fault of the published augmentation is mended, and
# stands beside its option as a comment (docs/transforms.md says what each does).
max_tokens = 40
tokenizer = dict(type="BertTokenizer", model_file="pretrain_weights/bert-base-uncased/vocab.txt")

load = dict(type="LoadImage")
choose = dict(type="ChooseExpression")
clean = dict(type="CleanExpression", variant="plvl")
# Whatever size came before, the input is the image stretched to a square.
resize = dict(type="Resize", size=448, backend="align_corners")
tokenize = dict(type="TokenizeExpression", tokenizer=tokenizer, max_tokens=max_tokens)
pack = dict(type="PackGroundingInputs")

train_pipeline = dict(
    load=load,
    targets=dict(type="LoadTargets", keep_original=False, truncate_boxes=False),  # published: True
    choose=choose,
    clean=clean,
    crop=dict(
        type="RandomApply",
        prob=0.5,
        spare_positions="clean",  # "published"
        steps=[
            dict(type="ResizeSide", size=[400, 500, 600], side="short", backend="pil"),
            dict(type="RandomTargetCrop", size=[384, 600], acceptance="clean"),  # "published"
        ],
    ),
    scale=dict(type="ResizeSide", size=[448, 416, 384, 352, 320, 288, 256], backend="pil"),
    jitter=dict(
        type="RandomApply",
        prob=0.8,
        steps=[
            dict(type="ColorJitter", brightness=0.4, contrast=0.4, saturation=0.4, backend="pil")
        ],
    ),
    flip=dict(type="RandomHorizontalFlip", prob=0.5, word_swap="clean"),  # "published"
    resize=resize,
    tokenize=tokenize,
    pack=pack,
)
test_pipeline = dict(
    load=load,
    targets=dict(type="LoadTargets", truncate_boxes=False),  # published: True
    choose=choose,
    clean=clean,
    scale=dict(type="ResizeSide", size=448, backend="pil"),
    resize=resize,
    tokenize=tokenize,
    pack=pack,
)

train_dataloader = dict(
    batch_size=20,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
    dataset=dict(pipeline=train_pipeline),
)
test_dataloader = dict(
    batch_size=20,
    num_workers=4,
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="vgtoolbox.grounding_collate"),
)
val_dataloader = dict(test_dataloader, dataset=dict(pipeline=test_pipeline))

# What stands above by its parts is no key of its own: overriding it would change nothing.
del max_tokens, tokenizer, load, choose, clean, resize, tokenize, pack
del train_pipeline, test_pipeline
