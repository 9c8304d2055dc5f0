"""Every row that eval.speed measures, by name; a file per room."""

from eval.rows import alignment, flow, geometry, geomotion, segmentation
from eval.rows.base import Row

ROWS: dict[str, Row] = {**geomotion.ROWS, **geometry.ROWS, **flow.ROWS, **segmentation.ROWS, **alignment.ROWS}
