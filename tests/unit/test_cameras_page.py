"""What docs/cameras.md and the commented examples of the shipped configuration show can be used as it stands."""

import re
from pathlib import Path

import pytest
import yaml

from edge.recovery.ladder import Rung
from edge.settings import CameraSettings, PowerSettings, SourceSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cameras.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
LIVE = {"name": "top", "source": {"kind": "v4l2", "device": 0}}


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_of_the_page_is_a_camera(text):
    CameraSettings.model_validate(yaml.safe_load(text))


def test_the_page_names_every_kind_and_every_rung():
    kinds = {each.model_fields["kind"].default for each in SourceSettings.__origin__.__args__}
    powers = {each.model_fields["kind"].default for each in PowerSettings.__origin__.__args__}
    for name in (*kinds, *powers, *(rung.value for rung in Rung)):
        assert f"`{name}`" in PAGE, name


def commented_examples() -> list[str]:
    """Each commented line of the camera in configs/device.yaml, and the commented block, as YAML."""
    text = (ROOT / "configs" / "device.yaml").read_text(encoding="utf-8")
    camera = text[text.index("  - name: top") : text.index("    plots:")]
    lines = [line.partition("# ")[2] for line in camera.splitlines() if line.strip().startswith("# ")]
    entries: list[str] = []
    for line in lines:
        if not line.startswith(" "):
            entries.append("")
        entries[-1] += line + "\n"
    return entries


@pytest.mark.parametrize("entry", commented_examples())
def test_every_commented_example_of_the_configuration_can_be_uncommented(entry):
    CameraSettings.model_validate({**LIVE, **yaml.safe_load(entry)})
