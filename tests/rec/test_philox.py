import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rec.reference import philox_of_integers
from recvae.rec.philox import MASK, philox4x32, split_words

WORD = st.integers(0, MASK)


def philox(counter, key):
    words = philox4x32(
        tuple(torch.tensor(word) for word in counter), tuple(torch.tensor(word) for word in key)
    )
    return [word.item() for word in words]


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        (
            (0, 0, 0, 0),
            (0, 0),
            (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
        ),
        (
            (MASK, MASK, MASK, MASK),
            (MASK, MASK),
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_known_answers_of_random123(counter, key, words):
    assert philox(counter, key) == list(words)


@given(st.tuples(WORD, WORD, WORD, WORD), st.tuples(WORD, WORD))
def test_equals_the_algorithm_in_unbounded_integers(counter, key):
    assert philox(counter, key) == philox_of_integers(counter, key)


def test_words_broadcast():
    rows, columns = torch.arange(5)[:, None], torch.arange(7)
    zero = torch.zeros((), dtype=torch.int64)
    words = philox4x32((rows, zero, columns, zero), (zero, zero))
    assert all(word.shape == (5, 7) for word in words)
    assert [word[3, 4].item() for word in words] == philox_of_integers((3, 0, 4, 0), (0, 0))


def test_split_words_reads_negative_numbers_as_unsigned():
    low, high = split_words(torch.tensor([-1, 1 << 32, -(1 << 63)]))
    assert low.tolist() == [MASK, 0, 0]
    assert high.tolist() == [MASK, 1, 1 << 31]
