"""When the fleet asks for a new model, what it takes to make one, and what a candidate has to show."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edge.contract.message import Digest
from fleet.strict import Settings

Share = Annotated[float, Field(ge=0, le=1)]
Pictures = Annotated[int, Field(ge=1, le=1_000_000)]


class GateSettings(Settings):
    """How much worse a candidate may be, and how much better it must be.

    A count's error may rise by ``count_loss_share`` of the champion's or by ``count_loss``, whichever is more, and mean
    IoU fall by ``overlap_loss``; on the frozen benchmark, on each site's own pictures and on those that drifted. On
    these one count's error must fall by ``count_gain_share``, or mean IoU rise by ``overlap_gain``: a candidate that
    mends nothing is not worth a rollout. A slice with fewer pictures than asked says nothing, and then the gate is
    shut.
    """

    benchmark: Digest | None = None
    """The benchmark's digest; a comparison on other pictures is refused. Absent: any will do."""
    benchmark_pictures: Pictures = 50
    site_pictures: Pictures = 5
    drifted_pictures: Pictures = 10
    count_loss_share: Share = 0.05
    count_loss: Annotated[float, Field(ge=0)] = 0.1
    overlap_loss: Share = 0.01
    count_gain_share: Share = 0.1
    overlap_gain: Share = 0.02


class RetrainSettings(Settings):
    """From drift to a rollout.

    ``automatic``: ``propose`` opens retrainings by itself and lays out the frames for labelling; ``roll_out`` also goes
    on once the labels are there, through training and gate to a rollout. What the gate refuses goes nowhere.
    """

    automatic: Literal["off", "propose", "roll_out"] = "off"
    folder: Path | None = None
    """A folder for each retraining; absent: ``retrainings`` in ``state_dir``."""
    least_days: Annotated[int, Field(ge=1, le=30)] = 2
    """So many days of the last week a camera must have been changed: what is gone tomorrow is no reason."""
    least_frames: Pictures = 30
    """So many frames of such cameras must have come home before the service proposes by itself."""
    history_days: Annotated[int, Field(ge=1, le=366)] = 30
    """Frames from so long before the change are in the dataset too, so that what was known is not forgotten."""
    fit: Path | None = None
    """Configuration of canopy-train fit, which ``run`` needs; rendered scenes in it keep what the model knew."""
    benchmark: Path | None = None
    """Labelled pictures that never change; absent: rendered scenes of fixed seeds."""
    plan: Path | None = None
    """Plan of the rollout, as for canopy-fleet rollout create --plan; absent: 5, 25 and 100 percent."""
    keys: tuple[str, ...] = ()
    """Keys of the hardware's role that sign the package, as for canopy-fleet repo publish --key."""
    gate: GateSettings = GateSettings()

    def anchored(self, here: Path, state_dir: Path) -> "RetrainSettings":
        """With absolute paths. A key may be on a token, whose name is no path."""
        paths = {name: here / path for name in ("fit", "benchmark", "plan") if (path := getattr(self, name))}
        keys = tuple(key if "@" in key else str(here / key) for key in self.keys)
        folder = here / (self.folder or state_dir / "retrainings")
        return self.model_copy(update={**paths, "keys": keys, "folder": folder})
