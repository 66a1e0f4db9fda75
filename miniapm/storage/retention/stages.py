"""What a sweep looks through."""

from miniapm.domain.retention import CutOffs
from miniapm.storage.retention.figures import OldErrorCounts, OldReplays, OldRollups
from miniapm.storage.retention.occurrences import OldOccurrences
from miniapm.storage.retention.projects import GoneProjects
from miniapm.storage.retention.spans import OldSpans
from miniapm.storage.retention.sweep import Stage


def list_arrivals(cut_offs: CutOffs) -> list[Stage]:
    """What can be too old at any moment."""
    return [
        GoneProjects(),
        OldSpans(cut_offs.batch_id),
        OldOccurrences(cut_offs.occurrences),
    ]


def list_figures(cut_offs: CutOffs) -> list[Stage]:
    """What can be too old once an hour."""
    return [
        OldRollups(cut_offs.figures),
        OldErrorCounts(cut_offs.figures),
        OldReplays(cut_offs.figures[1]),
    ]
