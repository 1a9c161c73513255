"""Threads that share out work and memory."""

import threading

import pytest

from bluegreen_cdn.publish.parallel import Budget, for_each


def test_a_budget_is_never_overdrawn() -> None:
    budget, lock = Budget(10), threading.Lock()
    held, most = 0, 0

    def work(amount: int) -> None:
        nonlocal held, most
        with budget.take(amount):
            with lock:
                held += amount
                most = max(most, held)
            threading.Event().wait(0.001)
            with lock:
                held -= amount

    for_each(work, [1, 9, 5, 5, 10, 3, 4] * 20, workers=8)
    assert held == 0
    assert 5 < most <= 10


def test_who_wants_more_than_there_is_gets_it_all_and_gives_it_back() -> None:
    budget = Budget(10)
    with pytest.raises(ZeroDivisionError), budget.take(1_000_000):
        raise ZeroDivisionError
    with budget.take(10):
        pass
