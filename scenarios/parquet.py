"""A table as Parquet, with types; where pyarrow is installed (the extra ``parquet``)."""

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MISSING = "without pyarrow no results.parquet: pip install 'p2pfl-emulator[parquet]'"


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]], types: Mapping[str, type]) -> bool:
    """Replace a file by a table; a file that is there and cannot be replaced is removed.

    Args:
        path: Of the file.
        rows: With a value or None for each column.
        types: Of each column, in order: str, int, float or bool.

    Returns:
        Whether it was written: False without pyarrow.
    """
    if find_spec("pyarrow") is None:
        path.unlink(missing_ok=True)
        return False
    import pyarrow as pa
    from pyarrow import parquet

    of = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, of[kind]) for name, kind in types.items()])
    columns = {
        name: [None if row[name] is None else kind(row[name]) for row in rows]
        for name, kind in types.items()
    }
    part = path.with_suffix(".parquet.part")
    parquet.write_table(pa.table(columns, schema=schema), part)
    os.replace(part, path)
    return True
