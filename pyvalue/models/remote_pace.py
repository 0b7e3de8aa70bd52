"""When the next request may go out: requests a minute, pauses that a server asks for, back-off. Sends nothing."""

from __future__ import annotations

import asyncio
import random
import time

#: longest pause that a server may ask for, in seconds; a longer one ends the run, which can be resumed
LONGEST_PAUSE = 600.0
_LONGEST_BACK_OFF = 30.0


class Pace:
    """Spaces requests out; all of a model's requests share it.

    Args:
        per_minute: most requests that start in a minute, evenly spaced; None for no limit.

    Attributes:
        per_minute: as given.
    """

    def __init__(self, per_minute: float | None) -> None:
        self.per_minute = per_minute
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._pause_ends = 0.0

    async def turn(self) -> None:
        """Wait until a request may start."""
        start = max(time.monotonic(), self._next)
        self._next = start + self._gap
        while (wait := max(start, self._pause_ends) - time.monotonic()) > 0:
            await asyncio.sleep(wait)

    def pause(self, seconds: float) -> None:
        """Let no request start for so long."""
        self._pause_ends = max(self._pause_ends, time.monotonic() + seconds)


def back_off(tries: int) -> float:
    """Seconds to wait after so many failed tries (1, 2, ...): doubling from half a second to 30, with jitter.

    Eight wait for more than 60 s in all, so that limits of requests a minute are outlasted. The jitter keeps requests
    that failed together from coming back together.
    """
    return min(_LONGEST_BACK_OFF, 0.5 * 2.0 ** (tries - 1)) * random.uniform(0.75, 1.0)
