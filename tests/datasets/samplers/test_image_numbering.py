from mmengine.dataset import ConcatDataset

from vgtoolbox.datasets.samplers import image_numbers


def test_images_are_numbered_by_first_appearance(records):
    assert image_numbers(records).tolist() == [
        list(dict.fromkeys(records.images)).index(image) for image in records.images
    ]


def test_parts_of_a_concatenation_share_their_images(records):
    twice = ConcatDataset([records, records])
    assert image_numbers(twice).tolist() == image_numbers(records).tolist() * 2
