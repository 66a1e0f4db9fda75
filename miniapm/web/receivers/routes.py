"""Every address of a foreign sender."""

from miniapm.web.receivers.calls import ForeignRoute

FOREIGN_ROUTES: tuple[ForeignRoute, ...] = ()
