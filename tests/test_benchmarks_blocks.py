"""Blocks of other sizes: they are those asked for while a step is taken, and the default again afterwards."""

from benchmarks import blocks, steps
from minisparse import threads


def test_a_step_is_taken_with_blocks_of_every_size(monkeypatch):
    usual, seen = threads.BLOCK_BYTES, []
    monkeypatch.setattr(steps, "minisparse_step", lambda task: lambda: seen.append(threads.BLOCK_BYTES))
    rows = blocks.by_size(steps.W2, rounds=1, times=1)
    sizes = sorted({usual, *(int(size * 2**20) for size in blocks.MEGABYTES)})
    assert seen == [size for size in sizes for _ in range(2)]
    assert usual == threads.BLOCK_BYTES
    assert [row["ratio"] for row in rows if row["megabytes"] * 2**20 == usual] == [1]


def test_a_call_is_timed_alone_and_by_two_threads(monkeypatch):
    monkeypatch.setattr(blocks, "AT_LEAST", 0)
    row = blocks.gain(1000, rounds=3)
    assert row["us"] > 0
    assert 0 < row["gain"] < 100
