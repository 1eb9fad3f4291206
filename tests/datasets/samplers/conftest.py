"""Datasets of image names that the tests of several samplers use."""

import pytest
from mmengine.dataset import BaseDataset


class ImageList(BaseDataset):
    """Dataset whose samples are identified by their image.

    Args:
        images: Image of each sample.
    """

    def __init__(self, images):
        self.images = images
        super().__init__()

    def load_data_list(self):
        return [{"img_path": f"{image}.jpg"} for image in self.images]

    def images_of(self, order):
        """Return the image of each sample of an order."""
        return [self.images[index] for index in order]


@pytest.fixture(scope="session")
def image_list():
    return ImageList


@pytest.fixture(scope="session")
def records():
    """30 images of 1 to 7 samples each, scattered over the dataset."""
    images = [image for image in range(30) for _ in range(1 + image % 7)]
    return ImageList(sorted(images, key=lambda image: image * 37 % 11))
