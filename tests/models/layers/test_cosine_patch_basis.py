import pytest
import torch
from torch.nn import functional as F

from vgtoolbox.models.layers import cosine_patch_basis


def test_all_filters_form_an_orthogonal_basis():
    basis = cosine_patch_basis(4, 1000).flatten(1)
    assert basis.shape == (3 * 4 * 4, 3 * 4 * 4)
    directions = F.normalize(basis, dim=1)
    torch.testing.assert_close(directions @ directions.T, torch.eye(48), rtol=0, atol=1e-6)


def test_the_first_filters_are_mean_brightness_and_color_differences():
    brightness, red_green, blue_yellow = cosine_patch_basis(8, 3)
    assert brightness.unique().numel() == 1
    red, green, blue = red_green.mean((1, 2)).tolist()
    assert (red, blue) == pytest.approx((-green, 0), abs=1e-6)
    assert blue_yellow.sum().item() == pytest.approx(0, abs=1e-6)


def test_outputs_have_about_equal_strength_on_images_with_a_natural_spectrum():
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.fft.rfft2(torch.randn(64, 3, 64, 64, generator=generator))
    rows, columns = torch.fft.fftfreq(64), torch.fft.rfftfreq(64)
    frequency = torch.hypot(rows[:, None], columns[None]).clamp(min=1 / 64)
    images = torch.fft.irfft2(spectrum / frequency)
    images = images / images.std()
    random_filters = torch.randn(30, 3, 8, 8, generator=generator)

    def spread(filters):
        outputs = F.conv2d(images, filters, stride=8).transpose(0, 1).flatten(1)
        eigenvalues = torch.linalg.eigvalsh(torch.cov(outputs))
        return (eigenvalues[-1] / eigenvalues.median()).item()

    assert spread(cosine_patch_basis(8, 30)) < spread(random_filters) / 5


def test_a_patch_of_one_pixel_has_three_filters():
    assert cosine_patch_basis(1, 5).shape == (3, 3, 1, 1)
