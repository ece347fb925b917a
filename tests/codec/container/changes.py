"""What may happen to the bytes of a file."""

from hypothesis import strategies as st

changes = st.tuples(
    st.sampled_from(["flip", "overwrite", "insert", "remove"]),
    st.floats(0, 1, exclude_max=True),
    st.binary(min_size=1, max_size=90),
)
