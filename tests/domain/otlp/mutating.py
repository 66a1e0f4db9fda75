"""Bodies with some of their bytes spoiled."""

from hypothesis import strategies as st


@st.composite
def mutations(draw: st.DrawFn, body: bytes) -> bytes:
    """`body` with some of its bytes changed, cut out, doubled or put in."""
    changed = bytearray(body)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(changed) - 1)))
        end = min(len(changed), start + draw(st.integers(0, 12)))
        kind = draw(st.sampled_from(["change", "cut", "double", "truncate"]))
        if kind == "change":
            changed[start:end] = draw(st.binary(min_size=end - start, max_size=end - start))
        elif kind == "cut":
            del changed[start:end]
        elif kind == "double":
            changed[start:start] = changed[start:end]
        else:
            del changed[start:]
    return bytes(changed)
