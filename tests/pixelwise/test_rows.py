"""The context of pixels: neighbours, the median prediction, adaptive filters."""

import numpy as np
import pytest

from codec.pixelwise.tiny import GREY, RGB, noise, smooth
from recvae.pixelwise.arguments import PixelArguments
from recvae.pixelwise.rows import Rows, find_rows, shape_of
from recvae.pixelwise.tables import difference_table

PHOTOS = PixelArguments()


def rows_of(
    image: np.ndarray,
    arguments: PixelArguments = PHOTOS,
    chosen: np.ndarray | None = None,
    filters: np.ndarray | None = None,
) -> Rows:
    """Rows of an image (height, width, c), with filters starting at zero."""
    shape = shape_of(arguments.reach, arguments.filter_reach, arguments.filter_rate)
    if chosen is None:
        chosen = np.ones(image.shape[:2], bool)
    if filters is None:
        filters = np.zeros((image.shape[2], arguments.num_filter_inputs(image.shape[2])), np.int32)
    return find_rows(np.ascontiguousarray(image), chosen, shape, filters)


def ramp(channels: int) -> np.ndarray:
    """A plane that rises to the right and down, where the median is too low."""
    y, x = np.mgrid[:40, :40]
    return np.stack([10 + 2 * x + 3 * y + 5 * c for c in range(channels)], axis=-1).astype(np.uint8)


def waves(channels: int) -> np.ndarray:
    """Fields in which the two pixels to the left determine the next one."""
    random = np.random.default_rng(0)
    pixels = np.zeros((60, 60, channels))
    pixels[:, :2] = random.normal(0, 20, (60, 2, channels))
    for x in range(2, 60):
        noises = random.normal(0, 3, (60, channels))
        pixels[:, x] = 1.8 * pixels[:, x - 1] - 0.95 * pixels[:, x - 2] + noises
    return np.clip(pixels + 128, 0, 255).round().astype(np.uint8)


def errors(rows: Rows) -> tuple[float, float]:
    """Mean errors in grey values, of medians and filters, over the second half."""
    half = len(rows.values) // 2
    values = rows.values[half:].astype(float)
    median, filtered = values - rows.medians[half:], values - rows.predictions[half:] / 16
    return abs(median).mean(), abs(filtered).mean()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("field", [ramp, waves])
def test_filters_learn(field, channels: int) -> None:
    median, filtered = errors(rows_of(field(channels)))
    assert filtered < {ramp: 0.2, waves: 0.8}[field] * median


def test_filters_of_channels_learn_from_those_before() -> None:
    grey = noise(1, 60, 60, 1)[0] // 2 + 60
    _, alone = errors(rows_of(grey[..., None]))
    rows = rows_of(np.stack([grey, grey + 3, grey - 2], axis=-1))
    values, predictions = rows.values[1800:].astype(float), rows.predictions[1800:] / 16
    first, second, third = abs(values - predictions).mean(0)
    assert first > 0.8 * alone
    assert second < 0.3 * alone
    assert third < 0.3 * alone


def test_filters_go_on() -> None:
    """Learned weights are written back, and help from the first pixel on."""
    image = waves(3)
    filters = np.zeros((3, PHOTOS.num_filter_inputs(3)), np.int32)
    first = rows_of(image, filters=filters)
    assert filters.any(axis=1).all()
    again = rows_of(image, filters=filters.copy())
    early = slice(60, 300)
    before, after = (
        abs(rows.values[early] - rows.predictions[early] / 16).mean() for rows in (first, again)
    )
    assert after < 0.9 * before


@pytest.mark.parametrize(("arguments", "channels"), [(PHOTOS, 3), (PHOTOS, 1), (RGB, 3), (GREY, 1)])
def test_chosen_rows_are_those_of_all(arguments: PixelArguments, channels: int) -> None:
    image = smooth(1, 23, 31, channels)[0].reshape(23, 31, channels)
    every = rows_of(image, arguments)
    assert every.inputs.shape == (23 * 31, arguments.num_inputs(channels))
    np.testing.assert_array_equal(every.values, image.reshape(-1, channels))
    for share in (0, 0.1, 0.7):
        chosen = np.random.default_rng(0).random((23, 31)) < share
        for part, whole in zip(rows_of(image, arguments, chosen), every, strict=True):
            np.testing.assert_array_equal(part, whole[chosen.ravel()])


def test_medians_and_neighbours() -> None:
    """Against plain Python, inside the image."""
    arguments = PixelArguments(reach=(2, 1, 0), filter_reach=(1, 1))
    image = noise(1, 9, 11, 3)[0]
    rows = rows_of(image, arguments)
    table, signed = difference_table(), image.astype(int)
    for y, x in ((2, 2), (5, 7), (8, 9)):
        left, above, corner = signed[y, x - 1], signed[y - 1, x], signed[y - 1, x - 1]
        median = np.median([left, above, left + above - corner], axis=0).astype(int)
        number = y * 11 + x
        np.testing.assert_array_equal(rows.medians[number], median)
        places = [(y, x - 2), (y, x - 1), (y - 1, x - 1), (y - 1, x), (y - 1, x + 1), (y - 2, x)]
        expected = [table[signed[place] - median + 255] for place in places]
        np.testing.assert_array_equal(rows.inputs[number, :18], np.ravel(expected))
        ends = [median[0] >> 1, *table[median[1:] - median[0] + 255]]
        np.testing.assert_array_equal(rows.inputs[number, 18:21], ends)


def test_a_pixel_knows_nothing_of_what_comes_later() -> None:
    image = smooth(1, 20, 30)[0]
    changed = image.copy()
    changed[10, 12, 1:] ^= 255
    before, after = rows_of(image), rows_of(changed)
    known = 10 * 30 + 12
    for part, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(part[:known], other[:known])
    np.testing.assert_array_equal(before.inputs[known], after.inputs[known])
    np.testing.assert_array_equal(before.predictions[known, :2], after.predictions[known, :2])
    assert (before.predictions[known, 2] != after.predictions[known, 2]).all()
    assert (before.inputs[known + 1] != after.inputs[known + 1]).any()
