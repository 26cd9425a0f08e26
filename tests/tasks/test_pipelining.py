import threading

import pytest

from tasks.pipelining import prefetch


def test_items_arrive_in_order():
    with prefetch(range(100), depth=3) as items:
        assert list(items) == list(range(100))


def test_the_producer_is_at_most_depth_ahead():
    made = []
    gate = threading.Event()

    def produce():
        for i in range(20):
            made.append(i)
            if len(made) == 4:
                gate.set()
            yield i

    with prefetch(produce(), depth=2) as items:
        assert next(items) == 0
        assert gate.wait(timeout=10)
        # 0 was taken, 1 and 2 wait in the queue, 3 is in the producer's hand.
        assert len(made) <= 4


def test_an_error_of_the_producer_is_raised_in_the_consumer():
    def produce():
        yield 1
        raise OSError("damaged")

    with prefetch(produce()) as items:
        assert next(items) == 1
        with pytest.raises(OSError, match="damaged"):
            next(items)


def test_leaving_early_ends_the_thread():
    with prefetch(iter(int, 1)) as items:
        next(items)
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]
