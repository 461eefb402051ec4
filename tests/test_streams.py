import random
from zlib import crc32

import numpy as np
import pytest

from minisparse.streams import draw_key, step_streams, stream

KEY = 0x0123456789ABCDEF0123456789ABCDEF


def numbers(generator):
    return generator.integers(0, 2**63, 8).tolist()


def test_a_key_is_128_bits_of_the_generator_and_nothing_more():
    rng, twin = np.random.default_rng(5), np.random.default_rng(5)
    keys = [draw_key(rng) for _ in range(50)]
    assert len(set(keys)) == 50
    assert 120 < max(key.bit_length() for key in keys) <= 128
    for _ in range(50):
        twin.bytes(16)
    assert numbers(rng) == numbers(twin)


def test_a_stream_is_its_key_and_its_name():
    assert numbers(stream(KEY, "fc1.weight")) == numbers(stream(KEY, "fc1.weight"))
    others = [stream(KEY, "fc2.weight"), stream(KEY + 1, "fc1.weight"), stream(KEY, 0), stream(KEY, 1)]
    assert len({tuple(numbers(g)) for g in [stream(KEY, "fc1.weight"), *others]}) == 5


def test_a_name_is_seeded_by_its_crc_32_which_every_process_shares():
    twin = np.random.Generator(np.random.PCG64(np.random.SeedSequence([KEY, crc32(b"fc1.weight")])))
    assert numbers(stream(KEY, "fc1.weight")) == numbers(twin)


def test_a_step_number_is_seeded_by_itself():
    assert numbers(stream(KEY, 12)) == numbers(np.random.default_rng(np.random.SeedSequence([KEY, 12])))


def test_names_in_any_script_have_streams():
    assert numbers(stream(KEY, "слой1")) != numbers(stream(KEY, "слой2"))


@pytest.mark.parametrize("rng", [7, None, random.Random(7), np.random])
def test_what_is_not_a_generator_is_refused_with_how_to_make_one(rng):
    with pytest.raises(
        TypeError, match=rf"rng is {type(rng).__name__}; expected a numpy\.random\.Generator.*default_rng"
    ):
        draw_key(rng)


def test_every_step_has_its_own_stream_whatever_was_drawn_before():
    at, again = step_streams(7), step_streams(7)
    first = [at(number).random(3).tolist() for number in range(5)]
    at(2).standard_normal(1000)
    assert [again(number).random(3).tolist() for number in (4, 0, 3, 1, 2)] == [first[i] for i in (4, 0, 3, 1, 2)]
    assert len({tuple(numbers) for numbers in first}) == 5
    assert step_streams(8)(0).random() != first[0][0]
