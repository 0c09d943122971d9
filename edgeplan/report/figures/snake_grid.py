"""Places along a snake: rows that run to and fro, and a lane at the left that closes the cycle."""

from __future__ import annotations

import math
from dataclasses import dataclass

Place = tuple[float, float]

_MOST_CARDS = 40
_CARDS_A_ROW, _DOTS_A_ROW = 4, 22


@dataclass(frozen=True)
class SnakeGrid:
    """Where the stops of a route stand, as cards with text or, where there are many, as dots.

    Parameters
    ----------
    num_stops
        Stops along the route.
    per_row
        Stops in a row.
    has_cards
        Whether a stop is a card.

    Examples
    --------
    >>> grid = SnakeGrid.of(6)
    >>> grid.per_row, [grid.place(k)[0] == grid.place(5 - k)[0] for k in range(3)]
    (3, [True, True, True])
    """

    num_stops: int
    per_row: int
    has_cards: bool

    @classmethod
    def of(cls, num_stops: int) -> SnakeGrid:
        """Choose cards or dots, and rows of nearly equal length."""
        has_cards = num_stops <= _MOST_CARDS
        rows = math.ceil(num_stops / (_CARDS_A_ROW if has_cards else _DOTS_A_ROW))
        return cls(num_stops, math.ceil(num_stops / rows), has_cards)

    @property
    def half_width(self) -> float:
        """Half the width of a stop."""
        return 0.98 if self.has_cards else 0.24

    @property
    def half_height(self) -> float:
        """Half the height of a stop."""
        return 0.46 if self.has_cards else 0.24

    @property
    def pitch(self) -> Place:
        """Distance between columns and between rows."""
        return (2.94, 1.5) if self.has_cards else (0.72, 0.8)

    @property
    def num_rows(self) -> int:
        """Rows in use."""
        return math.ceil(self.num_stops / self.per_row)

    def place(self, k: int) -> Place:
        """Centre of stop `k`, from 0 on."""
        row, column = divmod(k, self.per_row)
        across = column if row % 2 == 0 else self.per_row - 1 - column
        return across * self.pitch[0], -row * self.pitch[1]

    def hop(self, k: int) -> tuple[Place, Place]:
        """Begin and end of the arrow from stop `k` - 1 to stop `k`, clear of both."""
        (x0, y0), (x1, y1) = self.place(k - 1), self.place(k)
        right, up = (x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)
        dx, dy = right * (self.half_width + 0.06), up * (self.half_height + 0.06)
        return (x0 + dx, y0 + dy), (x1 - dx, y1 - dy)

    @property
    def way_back(self) -> tuple[Place, ...]:
        """Corners of the way from the last stop to the first."""
        x, y = self.place(self.num_stops - 1)
        low = y - self.half_height - (0.26 if self.has_cards else 0.16)
        lane = -self.half_width - (0.5 if self.has_cards else 0.3)
        return (x, y - self.half_height), (x, low), (lane, low), (lane, 0.0), (-self.half_width - 0.05, 0.0)

    @property
    def x_limits(self) -> Place:
        """Left and right edge, the same width for every number of stops of a kind."""
        widest = _CARDS_A_ROW if self.has_cards else _DOTS_A_ROW
        margin = self.half_width + (0.62 if self.has_cards else 0.4)
        spare = (widest - self.per_row) * self.pitch[0] / 2
        return -margin - spare, (self.per_row - 1) * self.pitch[0] + margin + spare

    @property
    def y_limits(self) -> Place:
        """Lower and upper edge."""
        return -(self.num_rows - 1) * self.pitch[1] - self.half_height - 0.55, self.half_height + 0.1

    @property
    def height_in(self) -> float:
        """Height of the figure that keeps the scale of the page's width."""
        inches_a_unit = 10.2 / (self.x_limits[1] - self.x_limits[0])
        return 0.45 + (self.y_limits[1] - self.y_limits[0]) * inches_a_unit
