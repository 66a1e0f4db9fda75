"""Which range a page of telemetry shows where its address names no time."""

from miniapm.storage.ranges import find_default_range
from miniapm.web.auth import Caller
from miniapm.web.filters import PageFilter


async def with_default_range(caller: Caller, wanted: PageFilter) -> PageFilter:
    """`wanted` with the range that suits the project of the call; what it names stays."""
    if wanted.range or not wanted.is_open:
        return wanted
    context = caller.context
    name = await context.database.read(find_default_range, caller.its_project.id, context.clock())
    return wanted._replace(default_range=name)
