"""Do the same thing to many items in a few threads, and stop all of them at the first error."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


def for_each(
    work: Callable[[Item], None], items: Iterable[Item], *, workers: int, stop: threading.Event | None = None
) -> None:
    """Call `work` with every item, in no particular order.

    Each thread takes an item when it is free, so that a long list costs no memory; an error or Ctrl-C lets the calls
    that run finish and starts no more.

    Args:
        work: Called from several threads.
        items: Taken one at a time, by one thread at a time.
        workers: How many threads.
        stop: Set at an error or Ctrl-C, for calls so long that they look at it. Default: none look.

    Raises:
        BaseException: The first that `work` or `items` raised.
    """
    remaining = iter(items)
    taking = threading.Lock()
    stop = stop or threading.Event()
    errors: list[BaseException] = []

    def take_and_work() -> None:
        try:
            while not stop.is_set():
                with taking:
                    try:
                        item = next(remaining)
                    except StopIteration:
                        return
                work(item)
        except BaseException as error:
            errors.append(error)
            stop.set()

    with ThreadPoolExecutor(max_workers=workers) as pool:
        threads = [pool.submit(take_and_work) for _ in range(workers)]
        try:
            for thread in threads:
                thread.result()
        finally:
            stop.set()
    if errors:
        raise errors[0]


class Budget:
    """Something that threads take some of and give back, such as memory; who wants more than is left waits.

    Args:
        total: How much there is. Whoever wants more than that gets all of it.
    """

    def __init__(self, total: int) -> None:
        self._total = self._left = total
        self._changed = threading.Condition()

    @contextmanager
    def take(self, amount: int) -> Iterator[None]:
        """Have some of it for as long as the context lasts."""
        amount = min(amount, self._total)
        with self._changed:
            while amount > self._left:
                self._changed.wait()
            self._left -= amount
        try:
            yield
        finally:
            with self._changed:
                self._left += amount
                self._changed.notify_all()
