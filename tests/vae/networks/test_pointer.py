"""The pointer decoder: the context of a pixel, and agreement of all ways to evaluate it."""

import numpy as np
import pytest
import torch
from torch import Tensor

from recvae.errors import InputError
from recvae.exact import FRACTION_BITS, FixedPoint, IntegerDense
from recvae.vae.networks import Architecture
from recvae.vae.networks.passes import log_likelihoods_nats, sample_pixels
from recvae.vae.networks.pointer.decoder import PointerArguments, PointerDecoder
from recvae.vae.objective import NATS_PER_BIT
from recvae.vae.quantise import ExactDecoder, quantise

LATENTS = 3
NUMBER = FixedPoint(7, 12)
SMALL = {"channels": 4, "flag_width": 8, "flag_blocks": 1, "width": 18}
# Height, width, arguments: odd numbers a head, contexts beyond the image, few levels.
KINDS = [
    (5, 7, SMALL | {"heads": 2, "radius": 3, "flag_radius": 1}),
    (6, 4, SMALL | {"heads": 1, "radius": 5, "flag_radius": 6, "levels": 3}),
    (9, 9, SMALL | {"heads": 6, "radius": 1, "flag_radius": 2, "levels": 17}),
]


def make_decoder(height: int, width: int, arguments: dict[str, int]) -> PointerDecoder:
    """A small decoder whose weights all have an effect."""
    torch.manual_seed(0)
    decoder = PointerDecoder(LATENTS, height, width, PointerArguments(**arguments))
    for parameter in decoder.requires_grad_(False).parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    return decoder.eval()


def random_pixels(decoder: PointerDecoder, count: int = 7) -> Tensor:
    """Images from all black to all noise, (count, h, w) uint8."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, decoder.arguments.levels, (count, decoder.height, decoder.width))
    pixels *= rng.random(pixels.shape) < np.linspace(0, 1, count)[:, None, None]
    return torch.from_numpy(pixels.astype(np.uint8))


def make_latents(count: int) -> Tensor:
    return torch.randn(count, LATENTS, generator=torch.Generator().manual_seed(1))


def intervals(model: ExactDecoder, z: Tensor, pixels: Tensor) -> list[np.ndarray]:
    assert model.kernel is not None
    fixed = torch.round(z.double() * 2**FRACTION_BITS).long()
    return model.kernel.intervals(model.maps(fixed), pixels.numpy())


@pytest.fixture(scope="module", params=KINDS, ids=str)
def decoder(request: pytest.FixtureRequest) -> PointerDecoder:
    return make_decoder(*request.param)


def test_pixel_by_pixel_and_all_at_once_agree(decoder: PointerDecoder) -> None:
    pixels = random_pixels(decoder)
    z = make_latents(len(pixels))
    apart = log_likelihoods_nats(list(decoder.known_passes(z, pixels)), len(z))
    torch.testing.assert_close(decoder.log_likelihood_nats(z, pixels), apart, rtol=1e-4, atol=1e-3)


def test_images_do_not_depend_on_each_other(decoder: PointerDecoder) -> None:
    pixels = random_pixels(decoder)
    z = make_latents(len(pixels))
    together = decoder.log_likelihood_nats(z, pixels)
    alone = torch.cat(
        [decoder.log_likelihood_nats(*own) for own in zip(z[:, None], pixels[:, None], strict=True)]
    )
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-3)


def test_integers_cost_what_floats_do(decoder: PointerDecoder) -> None:
    pixels = random_pixels(decoder)
    z = make_latents(len(pixels))
    coded = intervals(quantise(decoder, NUMBER), z, pixels)
    bits = [(24 - np.log2(own[:, 1])).sum() for own in coded]
    floats = -decoder.log_likelihood_nats(z, pixels).numpy() / NATS_PER_BIT
    np.testing.assert_allclose(bits, floats, rtol=0.02, atol=1)


def test_a_symbol_depends_on_what_came_before_alone(decoder: PointerDecoder) -> None:
    """The symbols up to a pixel do not change with later pixels."""
    model, pixels = quantise(decoder, NUMBER), random_pixels(decoder)
    z, rng = make_latents(len(pixels)), np.random.default_rng(3)
    first = intervals(model, z, pixels)
    flat = pixels.flatten(1)
    place = flat.shape[1] // 2
    changed = flat.clone()
    later = rng.integers(0, decoder.arguments.levels, changed[:, place:].shape)
    changed[:, place:] = torch.from_numpy(later.astype(np.uint8))
    second = intervals(model, z, changed.reshape(pixels.shape))
    for image in range(len(pixels)):
        same = place + int((flat[image, :place] > 0).sum())
        np.testing.assert_array_equal(first[image][:same], second[image][:same])


def test_the_sender_tells_symbols_of_a_whole_law(decoder: PointerDecoder) -> None:
    """Over all values of the last pixel, the intervals cover 2^24 exactly once."""
    model, pixels = quantise(decoder, NUMBER), random_pixels(decoder)[4:5]
    levels = decoder.arguments.levels
    every = pixels.expand(levels, -1, -1).clone()
    every[:, -1, -1] = torch.arange(levels)
    coded = intervals(model, make_latents(1).expand(levels, -1), every)
    values = np.array([own[-1] for own in coded[1:]])
    np.testing.assert_array_equal(values[1:, 0], values[:-1].sum(1))
    assert values[0, 0] == 0
    assert values[-1].sum() == 1 << 24
    flags = np.array([coded[0][-1], coded[1][-2]])
    assert flags[:, 1].sum() == 1 << 24
    assert flags[1, 0] == flags[0, 1]


def test_samples_are_images(decoder: PointerDecoder) -> None:
    drawn = sample_pixels(decoder.passes(make_latents(3)))
    assert drawn.shape == (3, decoder.height, decoder.width)
    assert 0 < int(drawn.max()) < decoder.arguments.levels


def test_it_points_at_values_that_occurred() -> None:
    """Trained on images with two random values each, it codes the second one cheaply."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)

    def images(count: int) -> Tensor:
        values = rng.integers(1, 256, (count, 2))
        chosen = rng.integers(0, 2, (count, 6 * 6))
        return torch.from_numpy(np.take_along_axis(values, chosen, 1).reshape(-1, 6, 6)).byte()

    decoder = PointerDecoder(LATENTS, 6, 6, PointerArguments(**SMALL, heads=2, radius=1))
    optimiser = torch.optim.Adam(decoder.parameters(), lr=0.01)
    for _ in range(150):
        loss = -decoder.log_likelihood_nats(torch.zeros(64, LATENTS), images(64)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        bits = -decoder.log_likelihood_nats(torch.zeros(64, LATENTS), images(64)) / NATS_PER_BIT
    assert float(bits.mean()) < 36 * 3.5  # a value by itself takes 8 bits, one of two takes 1


@pytest.mark.parametrize("sizes", [{"heads": 5}, {"width": 27, "heads": 3}], ids=str)
def test_the_width_must_be_even_and_a_multiple_of_heads(sizes: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"decoder\.width is \d+: it must be even and a multiple"):
        Architecture("pointer", decoder=sizes).build()


def test_a_number_format_must_fit_16_bits() -> None:
    with pytest.raises(ValueError, match=r"number\.magnitude_bits is 15: too many for pointers"):
        quantise(make_decoder(*KINDS[0]), FixedPoint(7, 15))


def test_integers_have_a_kernel_and_no_passes() -> None:
    model = quantise(make_decoder(*KINDS[0]), NUMBER)
    with pytest.raises(TypeError, match="has no passes, but a pixel_kernel"):
        model.passes(torch.zeros(1, LATENTS, dtype=torch.int64))


def test_a_bias_must_leave_room_for_sums() -> None:
    """Two float32 products are certified whatever the bias; 32 bits are not enough for any."""
    decoder = quantise(make_decoder(*KINDS[0]), NUMBER, chunk_inputs=1).decoder
    join = decoder.get_submodule("join")
    assert isinstance(join, IntegerDense)
    assert join.chunks > 1
    join.bias[0] = -(1 << 30) - 1
    with pytest.raises(ValueError, match="a bias is beyond 1073741824: sums would leave 32 bits"):
        ExactDecoder(decoder, NUMBER)


def test_pixels_in_any_order_of_memory_are_left_alone() -> None:
    decoder = make_decoder(*KINDS[0])
    model, pixels = quantise(decoder, NUMBER), random_pixels(decoder)
    turned = np.asfortranarray(pixels.numpy())
    turned.flags.writeable = False
    maps = model.maps(torch.zeros(len(pixels), LATENTS, dtype=torch.int64))
    assert model.kernel is not None
    for first, second in zip(
        model.kernel.intervals(maps, turned),
        model.kernel.intervals(maps, pixels.numpy()),
        strict=True,
    ):
        np.testing.assert_array_equal(first, second)


def test_samples_are_drawn_while_training_in_bfloat16() -> None:
    decoder = make_decoder(*KINDS[0])
    with torch.autocast("cpu", torch.bfloat16):
        assert sample_pixels(decoder.passes(make_latents(2))).shape == (2, 5, 7)
