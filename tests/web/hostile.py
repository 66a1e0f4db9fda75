"""Text that wants to run, to turn a page around, or to be endless."""

HOSTILE_MARKUP = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}"
HOSTILE_TEXTS = (
    HOSTILE_MARKUP,
    "javascript:alert(1)",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    "\N{ROCKET}\N{ZERO WIDTH JOINER}\N{FIRE}",
    "</td></tr></table><style>*{display:none}</style>",
    "x" * 200,
)
