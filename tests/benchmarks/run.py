"""All benchmarks: ``make bench``. Prints tables, and writes them to .benchmarks/latest.json.

They take some minutes and want a quiet machine: nothing else on its cores. The ring task reads
Fashion-MNIST below the folder that P2PFL_DATA names; without it that part is left out, and said.
"""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import class_gradients
import engine
import foreseen
import gpd
import inversion
import others
import peers
import ring
import rules
import server

FOLDER = Path(".benchmarks")


def main() -> None:
    """Run, print, write."""
    result: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
    }
    result["engine"] = engine.measure()
    engine.report(result["engine"])
    result["rules"] = rules.measure()
    rules.report(result["rules"])
    result["gpd"] = gpd.measure()
    gpd.report(result["gpd"])
    result["inversion"] = inversion.measure()
    inversion.report(result["inversion"])
    result["server"] = server.measure()
    server.report(result["server"])
    result["class_gradients"] = class_gradients.measure()
    class_gradients.report(result["class_gradients"])
    if os.environ.get("P2PFL_DATA"):
        result["ring"] = ring.measure()
        ring.report(result["ring"])
        result["others"] = others.measure()
        others.report(result["others"])
        result["peers"] = peers.measure()
        peers.report(result["peers"])
        result["foreseen"] = foreseen.measure()
        foreseen.report(result["foreseen"])
    else:
        print(
            "ring task, peers and foreseen left out: set P2PFL_DATA to a folder with Fashion-MNIST"
        )
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / "latest.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
