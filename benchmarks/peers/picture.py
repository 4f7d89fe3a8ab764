"""The figure of the README: bars of milliseconds, drawn without a library, legible on white and on black."""

from html import escape
from typing import Any, Final

WIDTH_PX, ROW_PX, BAR_PX, LABEL_PX, VALUE_PX = 840, 30, 18, 350, 66
GREEN, GREY, TEXT = "#2da44e", "#8c959f", "#717a85"
FONT: Final = "font-family='-apple-system,Segoe UI,Helvetica,Arial,sans-serif'"

GROUPS: Final = {
    # title: rows of (label, task)
    "The network alone, 512 x 512": (
        ("YOLO11n-seg, FP32", "yolo fp32"),
        ("YOLO11n-seg, its best INT8", "yolo int8"),
        ("Canopy, FP32", "canopy fp32"),
        ("Canopy, INT8", "canopy int8"),
    ),
    "From a frame of 1920 x 1080 to the traits of its plants": (
        ("ultralytics predict(), 30 objects, contours", "yolo predict"),
        ("Canopy, 15 pots, rows on the disk", "canopy step"),
    ),
    "The same beside PlantCV on a smaller picture": (
        ("PlantCV, 640 x 480, 10 plants, size, colour", "plantcv"),
        ("Canopy, 15 pots, rows on the disk", "canopy step"),
    ),
}


def draw(result: dict[str, Any]) -> str:
    """An SVG of the medians of processor time, which other work on the machine does not lengthen.

    Each group has a scale of its own, and each row says how often Canopy fits into it.
    """
    body: list[str] = []
    y_px = 24
    for title, rows in GROUPS.items():
        body.append(_text(0, y_px, title, weight=600))
        times = [result["ms"][task]["processor_ms"] for _, task in rows]
        for (label, _), time_ms in zip(rows, times, strict=True):
            y_px += ROW_PX
            body += _row(y_px, label, time_ms, max(times), min(times))
        y_px += 44
    foot = f"ms of one core, medians of {result['rounds']} interleaved rounds, ONNX Runtime {result['onnxruntime']}"
    body.append(_text(0, y_px - 8, foot, size=12))
    body.append(_text(0, y_px + 12, "python -m benchmarks.peers --picture docs/speed.svg", size=12, mono=True))
    height_px = y_px + 24
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH_PX} {height_px}' width='{WIDTH_PX}' "
        f"height='{height_px}' role='img' {FONT}>\n<title>How long Canopy takes beside others</title>\n"
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _row(y_px: int, label: str, time_ms: float, longest_ms: float, ours_ms: float) -> list[str]:
    room_px = WIDTH_PX - LABEL_PX - 2 * VALUE_PX
    width_px = max(2.0, room_px * time_ms / longest_ms)
    ours = label.startswith("Canopy")
    times = "" if time_ms == ours_ms else f"{_figure(time_ms / ours_ms)} x"
    corner = f"x='{LABEL_PX}' y='{y_px - BAR_PX + 5}' width='{width_px:.1f}' height='{BAR_PX}'"
    return [
        _text(0, y_px, label, weight=600 if ours else 400),
        f"<rect {corner} rx='3' fill='{GREEN if ours else GREY}'/>",
        _text(LABEL_PX + width_px + 8, y_px, _figure(time_ms), weight=600 if ours else 400),
        _text(WIDTH_PX - 4, y_px, times, end=True),
    ]


def _figure(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _text(
    x_px: float, y_px: float, said: str, *, weight: int = 400, size: int = 14, mono: bool = False, end: bool = False
) -> str:
    family = " font-family='ui-monospace,SFMono-Regular,Menlo,monospace'" if mono else ""
    anchor = " text-anchor='end'" if end else ""
    return (
        f"<text x='{x_px:.1f}' y='{y_px:.1f}' font-size='{size}' font-weight='{weight}' fill='{TEXT}'{family}{anchor}>"
        f"{escape(said)}</text>"
    )
