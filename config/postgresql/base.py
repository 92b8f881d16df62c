"""Django's PostgreSQL backend with a cheaper look at whether a kept connection still lives."""

from __future__ import annotations

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django's, but a connection is asked (`SELECT 1`) only when there is something to read on its socket.

    A server that goes away closes the socket, which makes it readable; an idle connection in good health has nothing to
    read. That spares every request one round trip.
    """

    def is_usable(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        readable, _, _ = select.select([self.connection.fileno()], [], [], 0)
        return not readable or super().is_usable()
