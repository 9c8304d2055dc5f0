"""Every row that eval.speed measures, by name; a file per room."""

from eval.rows import flow, geomotion, segmentation
from eval.rows.base import Row

ROWS: dict[str, Row] = {**geomotion.ROWS, **flow.ROWS, **segmentation.ROWS}
