"""The runner as a process of its own, forked by the fork server: carries out one order, tells it, and ends.

It lives as long as somebody holds the other end of its stop descriptor: when the supervisor dies, the run is ended in
an orderly way. What a run is, is the runner's business.
"""

from functools import partial

from harness import runner
from harness.events import say
from harness.orders import Order
from harness.result import RunRequest
from harness.run_mark import mark


def carry_out(order: Order, events_fd: int, stop_fd: int) -> None:
    """Run what was ordered; the last thing that is said is the result.

    Raises:
        RecordError: what was ordered is no run.
    """
    mark(order.run_id)
    request = RunRequest.from_dict(order.request)
    say(events_fd, runner.run(request, partial(say, events_fd), stop_fd))
