"""GStreamer pipelines as text: pure, from settings."""

from edge.settings import SINK_NAME, CsiSource

SINK = f"appsink name={SINK_NAME} max-buffers=1 drop=true sync=false"
"""The newest picture only, at once: what waits in a queue is old."""
TO_BGR = f"videoconvert ! video/x-raw,format=BGR ! {SINK}"
NVIDIA_TO_BGR = f"nvvidconv ! video/x-raw,format=BGRx ! {SINK}"
"""NVIDIA's converter has no BGR. The fourth byte is dropped from the pictures that are wanted, not from each."""

WHITE_BALANCES = {"auto": 1, "incandescent": 2, "fluorescent": 3, "daylight": 5, "cloudy": 6, "shade": 8}
"""Source: ``gst-inspect-1.0 nvarguscamerasrc``, property wbmode."""
FLIPS = {0: 0, 90: 1, 180: 2, 270: 3}
"""Source: ``gst-inspect-1.0 nvvidconv``, property flip-method."""
JITTER_MS = 200


def csi_pipeline(source: CsiSource) -> str:
    """A CSI camera of a Jetson: sensor, image processor, converter, newest picture."""
    camera = [f"nvarguscamerasrc sensor-id={source.sensor} wbmode={WHITE_BALANCES[source.white_balance]}"]
    if source.exposure_ms is not None:
        exposure_ns = round(source.exposure_ms * 1e6)
        camera.append(f'exposuretimerange="{exposure_ns} {exposure_ns}"')
    if source.gain is not None:
        camera.append(f'gainrange="{source.gain:g} {source.gain:g}" ispdigitalgainrange="1 1"')
    if source.exposure_ms is not None and source.gain is not None:
        camera.append("aelock=true")
    size = f"width={source.width_px},height={source.height_px},framerate={source.fps}/1"
    return " ! ".join(
        (
            " ".join(camera),
            f"video/x-raw(memory:NVMM),{size}",
            NVIDIA_TO_BGR.replace("nvvidconv", f"nvvidconv flip-method={FLIPS[source.rotate_deg]}"),
        )
    )


def rtsp_pipeline(url: str, *, hardware: bool) -> str:
    """A network camera over TCP, its codec found out and decoded by the best decoder that GStreamer has here."""
    quoted = url.replace("\\", "\\\\").replace('"', '\\"')
    source = (
        f'rtspsrc location="{quoted}" protocols=tcp latency={JITTER_MS} ! application/x-rtp,media=video ! decodebin'
    )
    return f"{source} ! {NVIDIA_TO_BGR if hardware else TO_BGR}"
