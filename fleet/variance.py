"""An aggregate that PostgreSQL has and SQLite has not."""


class Variance:
    """``var_pop``: the mean squared deviation of numbers from their mean, in one pass (B. P. Welford, 1962)."""

    def __init__(self) -> None:
        self._count, self._mean, self._m2 = 0, 0.0, 0.0

    def step(self, value: float | None) -> None:
        """Take one more; null does not count."""
        if value is None:
            return
        self._count += 1
        off = value - self._mean
        self._mean += off / self._count
        self._m2 += off * (value - self._mean)

    def finalize(self) -> float | None:
        """Null of nothing."""
        return self._m2 / self._count if self._count else None
