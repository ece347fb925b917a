import numpy as np
import pytest

from recvae.bitmaps import BOX, MAX_SIZE, MIN_SIZE, Bitmap, candidates, recover
from recvae.bitmaps.patterns import edges, matching, rim
from recvae.bitmaps.resampling import area, attainable_totals, footprints, grey, shares_edge
from recvae.images import sample_images


def blob(size: int, seed: int) -> np.ndarray:
    """A thick stroke that touches all four sides of its square, (size, size)."""
    rng = np.random.default_rng(seed)
    ys, xs = np.mgrid[:size, :size]
    corners = rng.uniform(0.15, 0.85, (4, 2)) * size
    corners[0, 0], corners[1, 0] = 0, size - 1
    corners[2, 1], corners[3, 1] = 0, size - 1
    ink = np.zeros((size, size), dtype=bool)
    for start, stop in zip(corners[[0, 2, 1]], corners[[2, 1, 3]], strict=True):
        for t in np.linspace(0, 1, 200):
            y, x = start + t * (stop - start)
            ink |= (ys - y) ** 2 + (xs - x) ** 2 <= (0.07 * size) ** 2 + 1
    return ink.astype(np.uint8)


def plain(bits: np.ndarray, deficit: int = 0) -> Bitmap:
    return Bitmap(bits, deficit, np.zeros((BOX, BOX), dtype=bool))


@pytest.mark.parametrize("size", range(MIN_SIZE, MAX_SIZE + 1))
def test_weights_cover_the_scan(size):
    first, count, weights = footprints(size)
    covered = np.zeros(size)
    for i in range(BOX):
        covered[first[i] : first[i] + count[i]] += weights[i, : count[i]]
        assert (weights[i, count[i] :] == 0).all()
    late = round(100 * size - covered.sum())
    assert late == sum(i * size % BOX != 0 for i in range(BOX)) + (size in (35, 70, 75))
    assert covered.max() <= 100


def test_whole_numbers_of_scan_pixels_are_plain_means():
    bits = np.random.default_rng(0).integers(0, 2, (40, 40)).astype(np.uint8)
    ink = bits.reshape(20, 2, 20, 2).sum((1, 3))
    assert (plain(bits).box() == np.array([0, 64, 128, 191, 255])[ink]).all()


def test_values_of_mnist_images_made_with_size_30():
    _, count, weights = footprints(30)
    assert count.tolist() == [2] * BOX
    assert weights[0, :2].tolist() == [100, 50]
    assert weights[1, :2].tolist() == [49, 100]
    over = area(30, 0)
    full = [grey(int(weights[i].sum() * weights[j].sum()), over, False) for i, j in
            ((0, 0), (0, 1), (1, 1))]  # fmt: skip
    assert full == [255, 253, 251]
    assert grey(int(weights[0].sum() ** 2), over, True) == 254


@pytest.mark.parametrize("deficit", range(3))
def test_totals_of_a_pixel_are_those_that_give_it(deficit):
    over = area(47, deficit)
    for total in range(1, over + 1):
        for nudged in (False, True):
            least, most = attainable_totals(grey(total, over, nudged), over)
            assert least <= total <= most
    for pixel in range(1, 256):
        least, most = attainable_totals(pixel, over)
        for outside in (least - 1, most + 1):
            if 0 < outside <= over:
                assert pixel not in {grey(outside, over, False), grey(outside, over, True)}


def test_matching_patterns_are_all_patterns_that_match():
    _, count, weights = footprints(47)
    rows, columns = int(count[3]), int(count[4])
    found = np.empty(1 << 16, dtype=np.int64)
    stop = matching(weights[3], rows, weights[4], columns, 20_000, 21_000, found, 0)
    bits = np.arange(1 << rows * columns)[:, None] >> np.arange(rows * columns) & 1
    total = bits @ np.outer(weights[3, :rows], weights[4, :columns]).flatten()
    assert sorted(found[:stop]) == np.flatnonzero((total >= 20_000) & (total <= 21_000)).tolist()


def test_rims_and_edges_of_a_pattern():
    pattern = np.array([[1, 0, 1], [0, 1, 1]])
    code = int((pattern.flatten() << np.arange(6)).sum())
    assert [rim(code, 2, 3, side) for side in range(4)] == [0b01, 0b11, 0b101, 0b110]
    assert edges(code, 2, 3) == 2 + 1 + 2


@pytest.mark.parametrize("size", [20, 23, 30, 35, 37, 40, 48, 53, 60])
@pytest.mark.parametrize("deficit", range(3))
def test_scans_are_recovered_from_what_they_render(size, deficit):
    image = plain(blob(size, 0), deficit).render()
    again = recover(image)
    assert again is not None
    assert again.size == size
    assert (again.render() == image).all()


def test_where_output_pixels_share_scan_pixels_no_other_scan_gives_the_image():
    assert all(shares_edge(33, i) for i in range(BOX - 1))
    bits = blob(33, 1)
    assert (recover(plain(bits, 1).render()).bits == bits).all()


def test_the_centre_of_mass_comes_to_the_middle():
    for seed in range(5):
        image = plain(blob(44, seed)).render().astype(float)
        centre = np.array([(image.sum(axis) * np.arange(28)).sum() for axis in (1, 0)])
        assert (np.abs(centre / image.sum() - 14) <= 0.5).all()


def test_nudged_pixels_come_back():
    bits = blob(50, 1)
    nudged = np.random.default_rng(0).random((BOX, BOX)) < 0.5
    scan = Bitmap(bits, 0, nudged)
    differs = scan.box() != plain(bits).box()
    assert differs.sum() > 5
    assert not (differs & ~nudged).any()
    assert (np.abs(scan.box().astype(int) - plain(bits).box()) <= 1).all()
    assert (recover(scan.render()).render() == scan.render()).all()


@pytest.mark.parametrize("size", [30, 35, 50, 51, 60, 75])
@pytest.mark.parametrize("deficit", range(3))
def test_ties_are_where_a_nudge_matters(size, deficit):
    bits = blob(size, 2)
    boxes = [Bitmap(bits, deficit, np.full((BOX, BOX), nudged)).box() for nudged in (False, True)]
    ties = plain(bits, deficit).ties()
    assert ((ties >= 0) == (boxes[0] != boxes[1])).all()
    near = np.abs(np.stack(boxes).astype(int) - ties) <= 1
    assert near[:, ties >= 0].all()
    if (size, deficit) == (50, 0):
        assert (ties >= 0).sum() > 5


def test_a_scan_without_ink_is_a_black_image():
    assert (plain(np.zeros((40, 40), dtype=np.uint8)).render() == 0).all()


def test_nearly_all_sample_images_are_scans():
    images = sample_images()[:100]
    scans = [recover(image) for image in images]
    assert sum(scan is not None for scan in scans) >= 97
    for image, scan in zip(images, scans, strict=True):
        assert scan is None or (scan.render() == image).all()


def test_sizes_of_sample_images_are_certain():
    telling = [ways[0].bits for image in sample_images()[:100] if (ways := candidates(image))]
    assert np.median(telling) > 60


def test_images_that_no_scan_makes(noise):
    assert recover(np.zeros((28, 28), dtype=np.uint8)) is None
    assert recover(noise[0]) is None  # more than 20 pixels high
    small = np.zeros((28, 28), dtype=np.uint8)
    small[4:24, 4:24] = noise[0][:20, :20]
    assert recover(small) is None
