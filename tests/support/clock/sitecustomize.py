"""For processes of clock tests, found by PYTHONPATH: SIGUSR1 puts the wall clock an hour on, SIGUSR2 an hour back.

As an administrator or NTP would: time goes on from there, and what counts seconds (`time.monotonic`) doesn't notice.
"""

import signal
import time

import time_machine

_HOUR_S = 3600


def _step(number: int, _frame: object) -> None:
    by_s = _HOUR_S if number == signal.SIGUSR1 else -_HOUR_S
    time_machine.travel(time.time() + by_s, tick=True).start()


for _number in (signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(_number, _step)
